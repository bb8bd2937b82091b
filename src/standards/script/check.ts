/** Whether a message is built as its version's element model says (reference sections 2 to 6; intake stage 2 of 12). */
import type { Issue } from '../fhir/outcome.ts';
import { attributeOf, elementsOf, isElement, ownText, type XmlElement } from '../xml/tree.ts';
import { checkLeaf } from './leaf-format.ts';
import { elementsNamed, type ScriptMessage } from './message.ts';
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
    run.element({ element: message.root, isNumbered: false }, 'Message');
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  return run.issues;
}

/** An element with those it stands in: its path is only made where there is something to tell of it. */
interface Trail {
  readonly element: XmlElement;
  readonly parent?: Trail;
  /** Whether its path bears a number, because more of its name may follow. */
  readonly isNumbered: boolean;
}

function pathOf({ element, parent, isNumbered }: Trail): string {
  if (parent === undefined) return element.name;
  const number = elementsNamed(parent.element, element.name).indexOf(element) + 1;
  return `${pathOf(parent)}/${element.name}${isNumbered || number > 1 ? `[${number}]` : ''}`;
}

/** The children still to be matched. */
interface Cursor {
  readonly children: readonly XmlElement[];
  at: number;
  readonly parent: Trail;
}

type Follows = (name: string) => boolean;
const ANYTHING_FOLLOWS: Follows = () => true;
const NOTHING_FOLLOWS: Follows = () => false;

class StructureCheck {
  readonly issues: Issue[] = [];
  readonly #model: Model;
  readonly #transactions: boolean;

  constructor(model: Model, transactions: boolean) {
    this.#model = model;
    this.#transactions = transactions;
  }

  element(trail: Trail, type: string | Content): void {
    const { element, parent } = trail;
    if (element.name === 'Body' && parent !== undefined && parent.parent === undefined) {
      this.#body(trail);
      return;
    }
    const content = this.#model.contentOf(type);
    // A type the model does not give: nothing can be said of it.
    if (content === undefined) return;
    if (content.attributes.size > 0 || element.attributes.length > 0) this.#attributes(trail, content);
    if (content.leaf !== undefined) this.#leaf(trail, content.leaf);
    else if (content.children) this.#children(trail, content.children, content.open);
  }

  #add(rule: RuleId, element: XmlElement, path: string, what: string, warning = false): void {
    this.issues.push(ruleIssue(rule, { path, line: element.line }, what, warning));
    if (this.issues.length >= ISSUES_MAX) throw new Enough();
  }

  #addOf(rule: RuleId, trail: Trail, what: string, warning = false): void {
    this.#add(rule, trail.element, pathOf(trail), what, warning);
  }

  /** Of a child that does not belong where it stands, or of an attribute. */
  #addBelow(rule: RuleId, trail: Trail, name: string, element: XmlElement, what: string, warning = false): void {
    this.#add(rule, element, `${pathOf(trail)}/${name}`, what, warning);
  }

  #body(body: Trail): void {
    const children = elementsOf(body.element);
    if (children.length !== 1)
      this.#addOf('transaction', body, `must hold exactly one transaction, and holds ${children.length}`);
    const [child] = children;
    if (child === undefined) return;
    const trail: Trail = { element: child, parent: body, isNumbered: false };
    if (!isTransaction(child.name)) this.#addOf('transaction', trail, 'is no transaction of SCRIPT');
    else if (this.#transactions) this.element(trail, child.name);
  }

  #attributes(trail: Trail, { attributes }: Content): void {
    const { element } = trail;
    for (const [name, required] of attributes) {
      const value = attributeOf(element, name);
      if (required && !value) this.#addBelow('attribute', trail, `@${name}`, element, 'is missing');
      if (!required && name === 'Qualifier' && value === undefined)
        this.#addBelow('attribute', trail, `@${name}`, element, 'is missing', true);
    }
    for (const { name, prefix } of element.attributes)
      if (prefix === '' && !attributes.has(name))
        this.#addBelow('unknown', trail, `@${name}`, element, 'is not an attribute of this element');
  }

  #leaf(trail: Trail, format: string): void {
    const { element } = trail;
    if (element.children.some(isElement))
      for (const child of elementsOf(element))
        this.#addBelow('unknown', trail, child.name, child, 'does not belong here: the element holds text only');
    const text = ownText(element).trim();
    const fault = text === '' ? undefined : checkLeaf(format, text);
    if (text === '') this.#addOf('empty', trail, 'is empty: leave it out');
    if (fault) this.#addOf(fault.rule, trail, `must be ${fault.wants}`, fault.warning);
  }

  #children(parent: Trail, content: GroupParticle, open: boolean): void {
    const { element } = parent;
    const all = elementsOf(element);
    if (all.length !== element.children.length && ownText(element).trim() !== '')
      this.#addOf('text', parent, 'holds text where only elements belong');
    const isKnown = (child: XmlElement): boolean => content.names.has(child.name);
    const children = open || all.every(isKnown) ? all : all.filter(isKnown);
    if (children.length !== all.length)
      for (const child of all)
        if (!isKnown(child)) this.#addBelow('unknown', parent, child.name, child, 'does not belong here');
    const cursor: Cursor = { children, at: 0, parent };
    this.#sequence(content, cursor, open ? ANYTHING_FOLLOWS : NOTHING_FOLLOWS);
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
      const trail: Trail = { element: child, parent: cursor.parent, isNumbered: max > 1 };
      if (count > max) this.#addOf('surplus', trail, `may occur ${max === 1 ? 'once' : `${max} times`} only`);
      else this.element(trail, type);
    }
    if (count >= min) return;
    // What comes later, out of its place, is told there.
    if (cursor.children.some((child, at) => at >= cursor.at && child.name === name)) return;
    const what = count === 0 ? 'is missing' : `must occur ${min} times`;
    this.#addBelow('required', cursor.parent, name, cursor.parent.element, what);
  }

  #choice(particle: GroupParticle, cursor: Cursor, follows: Follows): void {
    let count = 0;
    for (let child = cursor.children[cursor.at]; child; child = cursor.children[cursor.at]) {
      const { name } = child;
      const option = particle.parts.find((part) => part.names.has(name));
      if (option === undefined || (count === particle.max && follows(name))) break;
      if (count === particle.max) {
        const trail: Trail = { element: child, parent: cursor.parent, isNumbered: false };
        this.#addOf('choice', trail, 'stands beside another of which one only may be given');
        cursor.at += 1;
        continue;
      }
      count += 1;
      const again = count < particle.max;
      this.#particle(option, cursor, (next) => (again && particle.names.has(next)) || follows(next));
    }
    if (count < particle.min)
      this.#addOf('choice', cursor.parent, `needs one of ${[...particle.names].slice(0, 8).join(', ')}`);
  }

  #sequence(particle: GroupParticle, cursor: Cursor, follows: Follows): void {
    const { parts, min, max, names, lastPart } = particle;
    for (let count = 0; count < max; count += 1) {
      const first = cursor.children[cursor.at];
      if (count >= min && (first === undefined || !names.has(first.name))) return;
      const again = count + 1 < max;
      parts.forEach((part, at) => {
        const child = cursor.children[cursor.at];
        const isLater = child === undefined || (lastPart.get(child.name) ?? -1) > at;
        // Most parts need not be there, and are not.
        if (isLater && part.min === 0 && (child === undefined || !part.names.has(child.name))) return;
        const later: Follows = (name) => (lastPart.get(name) ?? -1) > at || (again && names.has(name)) || follows(name);
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
    this.#addOf('order', { element: child, parent: cursor.parent, isNumbered: false }, 'is out of its place');
  }
}
