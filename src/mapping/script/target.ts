/** A SCRIPT tree that is being made. Order is the writer's business. */
import type { ScriptElement } from '../../standards/script/write.ts';

export class Target implements ScriptElement {
  readonly name: string;
  attributes: { readonly name: string; readonly value: string }[];
  readonly children: (ScriptElement | string)[];
  /** It stays though nothing is in it: that it is there says something. */
  keep = false;

  constructor(name: string, attributes: Readonly<Record<string, string>> = {}) {
    this.name = name;
    this.children = [];
    this.attributes = Object.entries(attributes).map(([key, value]) => ({ name: key, value }));
  }

  /** Children of that name that were made here. */
  all(name: string): readonly Target[] {
    return this.children.filter((node): node is Target => node instanceof Target && node.name === name);
  }

  has(path: string): boolean {
    const below = (at: readonly ScriptElement[], name: string): readonly ScriptElement[] =>
      at.flatMap((one) =>
        one.children.filter((node) => typeof node !== 'string' && node.name === name),
      ) as ScriptElement[]; // filtered
    return path.split('/').reduce<readonly ScriptElement[]>(below, [this]).length > 0;
  }

  /** A new child, after those that are there. */
  add(name: string, text?: string): Target {
    const child = new Target(name);
    if (text !== undefined) child.children.push(text);
    this.children.push(child);
    return child;
  }

  /** The last child of that name, made where there is none. */
  child(name: string): Target {
    return this.all(name).at(-1) ?? this.add(name);
  }

  /** The element at a path of names, `Pharmacy[2]`, made on the way; a number beyond those there is the next one. */
  at(steps: readonly string[]): Target {
    return steps.reduce<Target>((at, step) => {
      const name = step.replace(/\[\d+\]$/, '');
      return at.all(name)[numberOf(step) - 1] ?? at.add(name);
    }, this);
  }

  /** Writes a leaf; elements on the way are made where they are missing. */
  put(path: string, text: string): void {
    const names = path.split('/');
    const leaf = names.pop() ?? '';
    names.reduce<Target>((at, name) => at.child(name), this).add(leaf, text);
  }

  /**
   * Adds `child` so that it is the `number`th of its name, or the last when there are fewer. One that was made there and
   * holds nothing only kept its place.
   */
  insert(child: ScriptElement, number: number): void {
    let seen = 0;
    const at = this.children.findIndex((node) => {
      if (typeof node !== 'string' && node.name === child.name) seen += 1;
      return seen === number;
    });
    const there = this.children[at];
    const isPlace = there instanceof Target && there.isHollow;
    this.children.splice(at < 0 ? this.children.length : at, isPlace ? 1 : 0, child);
  }

  /** No text in it or below it. */
  get isHollow(): boolean {
    return this.children.every((node) => node instanceof Target && node.isHollow);
  }

  /** Takes out what was made and stayed empty, Identification aside: some must be there. */
  prune(): void {
    for (let at = this.children.length - 1; at >= 0; at -= 1) {
      const node = this.children[at];
      if (!(node instanceof Target)) continue;
      node.prune();
      if (node.children.length === 0 && node.name !== 'Identification' && !node.keep) this.children.splice(at, 1);
    }
  }
}

export const numberOf = (step: string): number => Number(/\[(\d+)\]$/.exec(step)?.[1] ?? '1');
