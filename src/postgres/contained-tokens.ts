/**
 * Tokens by which a resource is found that contains others: that it contains one of a type, and the tokens of what it
 * contains, under a mask of their own, so that no other search finds it by them. docs/decisions/0003-storage.md
 */
import type { Keys, Lanes } from './keys.ts';
import { keyOf, lanesToBigInt } from './keys.ts';

interface TokenRow {
  readonly tok: readonly number[];
}

/** Builds what rows of a type hold; `id` is as unique as a resource's. */
type BuildRow = (resource: Readonly<Record<string, unknown>>, type: string, id: string) => TokenRow;

export interface Contained {
  readonly type: string;
  /** Names it within the resource; empty where it has none. */
  readonly fragment: string;
  readonly resource: Readonly<Record<string, unknown>>;
}

/** What a resource contains, of the types that are stored. */
export function containedIn(
  resource: Readonly<Record<string, unknown>>,
  isType: (type: string) => boolean,
): readonly Contained[] {
  const { contained } = resource;
  if (!Array.isArray(contained)) return [];
  return contained.flatMap((one: Readonly<Record<string, unknown>>): Contained[] => {
    const { resourceType: type, id } = one; // of a resource that was checked
    if (typeof type !== 'string' || !isType(type)) return [];
    return [{ type, fragment: typeof id === 'string' ? id : '', resource: one }];
  });
}

/** The id that stands for a contained resource: no reference can name it, and no other has it. */
export const containedId = (id: string, n: number): string => `${id}#${n}`;

/** Lanes for `tok` of a resource that contains others. */
export function containedLanes(id: string, contained: readonly Contained[], keys: Keys, build: BuildRow): number[] {
  const lanes: number[] = [];
  const seen = new Set<string>();
  const add = ({ hi, lo }: Lanes): void => {
    const key = `${hi},${lo}`;
    if (!seen.has(key)) lanes.push(hi, lo);
    seen.add(key);
  };
  for (const [n, { type, resource }] of contained.entries()) {
    const { hash } = keys;
    hash.hash(keys.contained.hi, keys.contained.lo, type);
    add({ hi: hash.hi, lo: hash.lo });
    const { tok } = build(resource, type, containedId(id, n));
    for (let i = 0; i < tok.length; i += 2)
      add({ hi: (tok[i] as number) ^ keys.contained.hi, lo: (tok[i + 1] as number) ^ keys.contained.lo });
  }
  return lanes;
}

/** The token of every resource that contains one of the type. */
export const containsKey = (keys: Keys, type: string): bigint => keyOf(keys, keys.contained, type);

/** The token of a contained resource as its container holds it. */
export const maskedKey = (keys: Keys, key: bigint): bigint => BigInt.asIntN(64, key ^ lanesToBigInt(keys.contained));
