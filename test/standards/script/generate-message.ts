/** Valid messages made from the element model, the same for the same seed: every element comes in some of them. */
import { CODE_LISTS } from '../../../src/standards/script/code-lists.ts';
import { SCRIPT_2017071 } from '../../../src/standards/script/model-2017071.ts';
import {
  type Content,
  createModel,
  type GroupParticle,
  type Particle,
} from '../../../src/standards/script/notation.ts';
import { type ScriptElement, scriptElement } from '../../../src/standards/script/write.ts';

const MODEL = createModel(SCRIPT_2017071);

/** `leftOut`: names of elements that never come. */
export function generateElement(type: string, seed: number, leftOut: ReadonlySet<string>): ScriptElement {
  const content = MODEL.contentOf(type);
  if (!content) throw new Error(`no type ${type}`);
  return new Generator(seed, leftOut).element(type, content, 0);
}

class Generator {
  #state: number;
  #words = 0;
  readonly #leftOut: ReadonlySet<string>;
  constructor(seed: number, leftOut: ReadonlySet<string>) {
    this.#state = (Math.imul(seed + 1, 2_654_435_761) + 12_345) >>> 0;
    this.#leftOut = leftOut;
  }

  #next(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  element(name: string, content: Content, depth: number): ScriptElement {
    const attributes = Object.fromEntries([...content.attributes.keys()].map((key) => [key, `a${this.#next(9)}`]));
    if (content.leaf !== undefined) return scriptElement(name, [this.#leaf(content.leaf)], attributes);
    if (!content.children || content.children.parts.length === 0)
      return scriptElement(
        name,
        this.#next(2) ? [this.#word(8)] : [scriptElement('Code', [this.#word(5)])],
        attributes,
      );
    return scriptElement(name, this.#group(content.children, depth), attributes);
  }

  #group(group: GroupParticle, depth: number): ScriptElement[] {
    return this.#times(group, depth).flatMap(() => {
      if (group.kind === 'sequence') return group.parts.flatMap((part) => this.#particle(part, depth));
      const options = group.parts.filter((part) => [...part.names].some((name) => !this.#leftOut.has(name)));
      const option = options[this.#next(options.length)];
      return option ? this.#particle(option, depth, true) : [];
    });
  }

  #particle(particle: Particle, depth: number, chosen = false): ScriptElement[] {
    if (particle.kind !== 'element') return this.#group(particle, depth);
    const { name, type } = particle;
    if (this.#leftOut.has(name)) return [];
    const content = MODEL.contentOf(type);
    if (!content) throw new Error(`no type ${String(type)}`);
    const times = this.#times(particle, depth);
    return (chosen && times.length === 0 ? [0] : times).map(() => this.element(name, content, depth + 1));
  }

  #times({ min, max }: Particle, depth: number): readonly unknown[] {
    const optional = this.#next(10) < (depth > 6 ? 2 : 5) ? Math.min(max - min, 1 + (max > 1 ? this.#next(2) : 0)) : 0;
    return Array.from({ length: min + optional });
  }

  #leaf(format: string): string {
    if (format.startsWith('code.')) {
      const codes = [...(CODE_LISTS.get(format.slice('code.'.length))?.codes.keys() ?? ['x'])];
      return codes[this.#next(codes.length)] ?? 'x';
    }
    const two = (least: number, below: number): string => String(least + this.#next(below)).padStart(2, '0');
    const date = (): string => `20${two(10, 16)}-${two(1, 12)}-${two(1, 28)}`;
    if (format === 'date') return date();
    if (format === 'dateTime') return `${date()}T${two(0, 24)}:${two(0, 60)}:00Z`;
    if (format === 'yn') return this.#next(2) ? 'Y' : 'N';
    if (format === 'boolean') return this.#next(2) ? 'true' : 'false';
    if (format === 'base64') return 'QUJD';
    const [, kind, , most] = /^(an|n|sn)(?:(\d+)-)?(\d+)$/.exec(format) ?? [];
    if (kind === undefined || kind === 'an') return this.#word(Math.min(Number(most ?? 20), 20));
    const least = /^\w+?(\d+)-/.exec(format)?.[1] ?? (format.includes('-') ? '1' : most);
    const length = Math.max(Number(least ?? 1), 1 + this.#next(Math.min(Number(most), 9)));
    return Array.from({ length }, () => String(1 + this.#next(9))).join('');
  }

  #word(most: number): string {
    const letters = 'abcdefgh ABC\'é&<>"123';
    const length = 1 + this.#next(most);
    const text = Array.from({ length }, () => letters[this.#next(letters.length)])
      .join('')
      .trim();
    // Long ones are never the same twice: two people with one number would be one person.
    this.#words += 1;
    const end = most >= 8 ? `-${this.#words}` : '';
    return (
      `${text
        .slice(0, most - end.length)
        .trim()
        .replaceAll(/ +/g, ' ')}${end}` || 'x'
    );
  }
}
