/** A SCRIPT element that remembers what has been read of it, so that the rest can be kept (reference 13.4, residue). */

import { elementsNamed, findElement, textOf } from '../../standards/script/message.ts';
import { elementsOf, type XmlElement } from '../../standards/xml/tree.ts';
import { OUTCOMES } from './transaction-table.ts';

export interface Place {
  readonly path: string;
  readonly element: XmlElement;
}

export class Source {
  readonly element: XmlElement;
  readonly #taken: Set<XmlElement>;

  constructor(element: XmlElement, taken: Set<XmlElement> = new Set()) {
    this.element = element;
    this.#taken = taken;
  }

  /** What has been taken of the whole message. */
  get taken(): Set<XmlElement> {
    return this.#taken;
  }

  find(path: string): Source | undefined {
    const found = findElement(this.element, path);
    return found && new Source(found, this.#taken);
  }

  all(name: string): readonly Source[] {
    return elementsNamed(this.element, name).map((element) => new Source(element, this.#taken));
  }

  /** The element at a path, which stays to be read. */
  locate(path: string): XmlElement | undefined {
    return findElement(this.element, path);
  }

  /** The text at a path, which stays to be read. */
  peek(path: string): string | undefined {
    return textOf(findElement(this.element, path));
  }

  /** The element's own text. */
  get text(): string | undefined {
    return textOf(this.element);
  }

  /** The text at a path, which has a place in FHIR now. */
  take(path: string): string | undefined {
    const found = findElement(this.element, path);
    const text = textOf(found);
    if (found && text !== undefined) this.#taken.add(found);
    return text;
  }

  /** The element itself has a place, with all that is in it. */
  takeWhole(): void {
    this.#taken.add(this.element);
  }

  /**
   * The largest elements below this one of which nothing was taken, with their paths, numbered from 1 where a name
   * repeats. `leftOut`: names of children passed over.
   */
  restOfChildren(path: string, leftOut: ReadonlySet<string> = new Set()): readonly Place[] {
    const found: Trail[] = [];
    this.#restBelow({ element: this.element }, found, leftOut);
    return found.map((trail) => ({ path: `${path}${pathOf(trail)}`, element: trail.element }));
  }

  /** Whether anything below was taken. */
  #restBelow(parent: Trail, found: Trail[], leftOut?: ReadonlySet<string>): boolean {
    let isTouched = false;
    for (const child of parent.element.children) {
      if (typeof child === 'string' || leftOut?.has(child.name)) continue;
      if (this.#taken.has(child) || this.#rest({ element: child, parent }, found)) isTouched = true;
    }
    return isTouched;
  }

  /** Of an untouched element the whole is kept, in the place of its parts. */
  #rest(trail: Trail, found: Trail[]): boolean {
    const before = found.length;
    if (this.#restBelow(trail, found)) return true;
    found.length = before;
    if (!isAbsent(trail.element)) found.push(trail);
    return false;
  }
}

/** An element with those it stands in: its path is only made where it is asked for. */
interface Trail {
  readonly element: XmlElement;
  readonly parent?: Trail;
}

/** Below the first element of the trail. */
function pathOf({ element, parent }: Trail): string {
  if (parent === undefined) return '';
  const number = elementsNamed(parent.element, element.name).indexOf(element) + 1;
  return `${pathOf(parent)}/${element.name}${number > 1 ? `[${number}]` : ''}`;
}

/** Nothing in it and nothing on it: an empty element is an absent one (reference section 3), but for a choice. */
const isAbsent = (element: XmlElement): boolean =>
  !CHOICES.has(element.name) &&
  textOf(element) === undefined &&
  element.attributes.every(({ prefix }) => prefix !== '') &&
  elementsOf(element).every(isAbsent);

/** Elements all of whose content is optional, and that say something by being there. */
const CHOICES: ReadonlySet<string> = new Set(['UnSolicitedModel', ...OUTCOMES.keys()]);
