/** Whether a message is built as its version's element model says (reference sections 2 to 6; intake stage 2 of 12). */
import type { Issue } from '../fhir/outcome.ts';
import { attributeOf, elementsOf, ownText, type XmlElement } from '../xml/tree.ts';
import { checkLeaf } from './leaf-format.ts';
import type { ScriptMessage } from './message.ts';
import { SCRIPT_10_6 } from './model-10-6.ts';
import { SCRIPT_2017071 } from './model-2017071.ts';
import {
  type Content,
  createModel,
  type ElementParticle,
  type GroupParticle,
  type Model,
  type Particle,
} from './notation.ts';
import { type RuleId, ruleIssue } from './rule-issue.ts';
import { isTransaction } from './transactions.ts';
import type { ScriptVersion } from './version.ts';

const MODEL_2017071 = createModel(SCRIPT_2017071);

/** 2023011 has no public model: its envelope is checked as that of 2017071, its transactions are not. */
const MODELS: Record<ScriptVersion, { readonly model: Model; readonly transactions: boolean }> = {
  '10.6': { model: createModel(SCRIPT_10_6), transactions: true },
  '2017071': { model: MODEL_2017071, transactions: true },
  '2023011': { model: MODEL_2017071, transactions: false },
};

/** More issues than this help nobody. */
const ISSUES_MAX = 100;
class Enough extends Error {}

/** Every fault of structure, strictly: errors, and warnings where a value may be kept as it is. */
export function checkStructure(message: ScriptMessage): readonly Issue[] {
  const { model, transactions } = MODELS[message.version.readAs];
  const run = new StructureCheck(model, transactions);
  try {
    run.element(message.root, 'Message', 'Message');
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  return run.issues;
}

/** The children still to be matched. */
interface Cursor {
  readonly children: readonly XmlElement[];
  at: number;
  readonly parent: XmlElement;
  readonly path: string;
  /** How many of each name came, so that repeated ones have a number. */
  readonly seen: Map<string, number>;
}

type Follows = (name: string) => boolean;

class StructureCheck {
  readonly issues: Issue[] = [];
  readonly #model: Model;
  readonly #transactions: boolean;

  constructor(model: Model, transactions: boolean) {
    this.#model = model;
    this.#transactions = transactions;
  }

  element(element: XmlElement, type: string | Content, path: string): void {
    if (path === 'Message/Body') {
      this.#body(element, path);
      return;
    }
    const content = this.#model.contentOf(type);
    // A type the model does not give: nothing can be said of it.
    if (content === undefined) return;
    this.#attributes(element, content, path);
    if (content.leaf !== undefined) this.#leaf(element, content.leaf, path);
    else if (content.children) this.#children(element, content.children, content.open, path);
  }

  #add(rule: RuleId, element: XmlElement, path: string, what: string, warning = false): void {
    this.issues.push(ruleIssue(rule, { path, line: element.line }, what, warning));
    if (this.issues.length >= ISSUES_MAX) throw new Enough();
  }

  #body(body: XmlElement, path: string): void {
    const children = elementsOf(body);
    if (children.length !== 1)
      this.#add('transaction', body, path, `must hold exactly one transaction, and holds ${children.length}`);
    for (const child of children.slice(0, 1)) {
      const place = `${path}/${child.name}`;
      if (!isTransaction(child.name)) this.#add('transaction', child, place, 'is no transaction of SCRIPT');
      else if (this.#transactions) this.element(child, child.name, place);
    }
  }

  #attributes(element: XmlElement, content: Content, path: string): void {
    for (const [name, required] of content.attributes) {
      const value = attributeOf(element, name);
      if (required && !value) this.#add('attribute', element, `${path}/@${name}`, 'is missing');
      if (!required && name === 'Qualifier' && value === undefined)
        this.#add('attribute', element, `${path}/@${name}`, 'is missing', true);
    }
    for (const attribute of element.attributes)
      if (attribute.prefix === '' && !content.attributes.has(attribute.name))
        this.#add('unknown', element, `${path}/@${attribute.name}`, 'is not an attribute of this element');
  }

  #leaf(element: XmlElement, format: string, path: string): void {
    for (const child of elementsOf(element))
      this.#add('unknown', child, `${path}/${child.name}`, 'does not belong here: the element holds text only');
    const text = ownText(element).trim();
    const fault = text === '' ? undefined : checkLeaf(format, text);
    if (text === '') this.#add('empty', element, path, 'is empty: leave it out');
    if (fault) this.#add(fault.rule, element, path, `must be ${fault.wants}`, fault.warning);
  }

  #children(parent: XmlElement, content: GroupParticle, open: boolean, path: string): void {
    const all = elementsOf(parent);
    if (all.length !== parent.children.length && ownText(parent).trim() !== '')
      this.#add('text', parent, path, 'holds text where only elements belong');
    const isKnown = (child: XmlElement): boolean => content.names.has(child.name);
    const children = open || all.every(isKnown) ? all : all.filter(isKnown);
    if (children.length !== all.length)
      for (const child of all)
        if (!isKnown(child)) this.#add('unknown', child, `${path}/${child.name}`, 'does not belong here');
    const cursor: Cursor = { children, at: 0, parent, path, seen: new Map() };
    this.#sequence(content, cursor, () => open);
    if (!open) for (let rest = children[cursor.at]; rest; rest = children[cursor.at]) this.#misplaced(rest, cursor);
  }

  #particle(particle: Particle, cursor: Cursor, follows: Follows): void {
    if (particle.kind === 'element') this.#occurrences(particle, cursor, follows);
    else if (particle.kind === 'choice') this.#choice(particle, cursor, follows);
    else this.#sequence(particle, cursor, follows);
  }

  #occurrences(particle: ElementParticle, cursor: Cursor, follows: Follows): void {
    const { name, min, max, type } = particle;
    let count = 0;
    for (let child = cursor.children[cursor.at]; child?.name === name; child = cursor.children[cursor.at]) {
      if (count === max && follows(name)) break;
      cursor.at += 1;
      count += 1;
      const path = numbered(cursor, name, max > 1);
      if (count > max) this.#add('surplus', child, path, `may occur ${max === 1 ? 'once' : `${max} times`} only`);
      else this.element(child, type, path);
    }
    if (count >= min) return;
    // What comes later, out of its place, is told there.
    if (cursor.children.some((child, at) => at >= cursor.at && child.name === name)) return;
    const what = count === 0 ? 'is missing' : `must occur ${min} times`;
    this.#add('required', cursor.parent, `${cursor.path}/${name}`, what);
  }

  #choice(particle: GroupParticle, cursor: Cursor, follows: Follows): void {
    let count = 0;
    for (let child = cursor.children[cursor.at]; child; child = cursor.children[cursor.at]) {
      const { name } = child;
      const option = particle.parts.find((part) => part.names.has(name));
      if (option === undefined || (count === particle.max && follows(name))) break;
      if (count === particle.max) {
        this.#add(
          'choice',
          child,
          numbered(cursor, name, false),
          'stands beside another of which one only may be given',
        );
        cursor.at += 1;
        continue;
      }
      count += 1;
      const again = count < particle.max;
      this.#particle(option, cursor, (next) => (again && particle.names.has(next)) || follows(next));
    }
    if (count < particle.min)
      this.#add('choice', cursor.parent, cursor.path, `needs one of ${[...particle.names].slice(0, 8).join(', ')}`);
  }

  #sequence(particle: GroupParticle, cursor: Cursor, follows: Follows): void {
    const { parts, min, max, names } = particle;
    for (let count = 0; count < max; count += 1) {
      const child = cursor.children[cursor.at];
      if (count >= min && (child === undefined || !names.has(child.name))) return;
      parts.forEach((part, at) => {
        const later: Follows = (name) =>
          parts.some((other, index) => index > at && other.names.has(name)) ||
          (count + 1 < max && names.has(name)) ||
          follows(name);
        this.#skip(cursor, (name) => part.names.has(name) || later(name));
        this.#particle(part, cursor, later);
      });
    }
  }

  /** Passes over what belongs further forward, so that one element out of place gives one issue. */
  #skip(cursor: Cursor, expected: Follows): void {
    for (let child = cursor.children[cursor.at]; child && !expected(child.name); child = cursor.children[cursor.at])
      this.#misplaced(child, cursor);
  }

  #misplaced(child: XmlElement, cursor: Cursor): void {
    cursor.at += 1;
    this.#add('order', child, numbered(cursor, child.name, false), 'is out of its place');
  }
}

function numbered(cursor: Cursor, name: string, repeats: boolean): string {
  const count = (cursor.seen.get(name) ?? 0) + 1;
  cursor.seen.set(name, count);
  return repeats || count > 1 ? `${cursor.path}/${name}[${count}]` : `${cursor.path}/${name}`;
}
