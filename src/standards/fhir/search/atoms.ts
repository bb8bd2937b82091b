/** Which parameters of a type share the place where their values are stored. */
import { isMultiple, type ResolvedLeaf } from './leaves.ts';
import type { Atom, Leaf, SearchType } from './parameter.ts';

/** A parameter of one type before its atoms are known. */
export interface Candidate {
  readonly code: string;
  readonly type: SearchType;
  readonly components: readonly SearchType[];
  readonly leaves: readonly ResolvedLeaf[];
  readonly onlyTargets: readonly string[];
  readonly notFalse: boolean;
}

/** Parameters with the same leaves; the first names the atom. */
interface Group {
  readonly members: Candidate[];
  readonly keys: ReadonlySet<string>;
}

/**
 * Parameters with the same leaves share one atom (`resolve() is X` is no part of a leaf); a parameter whose leaves are
 * exactly those of smaller ones together has theirs. Everything is in the order of codes, so atoms keep their numbers.
 */
export function assignAtoms(candidates: readonly Candidate[]): {
  atoms: readonly Atom[];
  atomsOf: ReadonlyMap<string, readonly Atom[]>;
} {
  const groups = groupByLeaves(candidates);
  const partsOf = new Map(groups.map((group) => [group, cover(group, groups)]));
  const atoms: Atom[] = [];
  const atomOf = new Map<Group, Atom>();
  for (const group of groups)
    if (partsOf.get(group)?.length === 0) {
      const atom = createAtom(group, atoms.length);
      atoms.push(atom);
      atomOf.set(group, atom);
    }
  const atomsOf = new Map<string, readonly Atom[]>();
  for (const group of groups) {
    const found = [...leafGroups(group, partsOf)].flatMap((g) => atomOf.get(g) ?? []).sort((a, b) => a.index - b.index);
    for (const member of group.members) atomsOf.set(member.code, found);
  }
  return { atoms, atomsOf };
}

function groupByLeaves(candidates: readonly Candidate[]): Group[] {
  const groups = new Map<string, { members: Candidate[]; keys: Set<string> }>();
  for (const candidate of candidates) {
    const keys = new Set(candidate.leaves.map(leafKey));
    const key = JSON.stringify([candidate.type, candidate.notFalse, candidate.components, [...keys].sort()]);
    const group = groups.get(key) ?? { members: [], keys };
    group.members.push(candidate);
    groups.set(key, group);
  }
  // `subject` rather than `patient` names what both store: it is the one without a restriction.
  for (const { members } of groups.values())
    members.sort((a, b) => a.onlyTargets.length - b.onlyTargets.length || (a.code < b.code ? -1 : 1));
  return [...groups.values()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

const nameOf = (group: Group): string => group.members[0]?.code ?? '';

const leafKey = (leaf: Leaf): string =>
  `${leaf.fromResource ? '%' : ''}${leaf.path}:${leaf.type}${leaf.parts ? JSON.stringify(leaf.parts.map((p) => p.map(leafKey))) : ''}`;

/** The smaller groups that together are this one, largest first; none when it is not a union of others. */
function cover(group: Group, groups: readonly Group[]): Group[] {
  const [first] = group.members;
  const parts = groups
    .filter((other) => {
      const [head] = other.members;
      const alike = head?.type === first?.type && head?.components.join() === first?.components.join();
      return (
        alike && !head?.notFalse && other.keys.size < group.keys.size && [...other.keys].every((k) => group.keys.has(k))
      );
    })
    .sort((a, b) => b.keys.size - a.keys.size);
  const missing = new Set(group.keys);
  const chosen: Group[] = [];
  for (const part of parts) {
    if (![...part.keys].some((k) => missing.has(k))) continue;
    chosen.push(part);
    for (const key of part.keys) missing.delete(key);
  }
  return missing.size === 0 ? chosen : [];
}

function leafGroups(group: Group, partsOf: ReadonlyMap<Group, readonly Group[]>): Set<Group> {
  const parts = partsOf.get(group) ?? [];
  return parts.length === 0 ? new Set([group]) : new Set(parts.flatMap((part) => [...leafGroups(part, partsOf)]));
}

function createAtom(group: Group, index: number): Atom {
  const [first] = group.members;
  if (first === undefined) throw new Error('a group has at least one member');
  const { code, type, components, leaves, notFalse } = first;
  return {
    index,
    code,
    type,
    components,
    notFalse,
    multiple: !notFalse && isMultiple(leaves),
    leaves: leaves.map(bare),
  };
}

/** The leaf without what only its definition says. */
export function bare({ path, type, steps, parts, fromResource }: Leaf): Leaf {
  return {
    path,
    type,
    steps,
    ...(fromResource && { fromResource }),
    ...(parts && { parts: parts.map((p) => p.map(bare)) }),
  };
}
