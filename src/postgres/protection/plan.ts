/** What the removal of patients takes away, and what it changes: found by search keys, then by reading every text. SECURITY DP-04 */
import type { StoredVersion } from '../../ports/resource-store.ts';
import type { Shield } from '../encryption/shield.ts';
import type { Pipeline } from '../pools.ts';
import { tableOf } from '../tables.ts';
import type { Telltale } from './elsewhere.ts';
import type { Gone } from './erase-references.ts';
import type { Touched } from './guard.ts';
import { findMentions, mentionsIn, SEALED, words } from './mentions.ts';
import { type Content, contentOf, type Held, type RecordTools, versionsOf, visitRecord } from './record.ts';

export interface Plan {
  readonly patients: readonly Held[];
  /** What goes, by `Type/id`; the patients are not among it. */
  readonly own: ReadonlyMap<string, Held>;
  /** What stays without them. */
  readonly staying: ReadonlyMap<string, Held>;
  readonly dataKeys: ReadonlySet<string>;
  readonly people: readonly Telltale[];
  readonly gone: Gone;
  readonly touched: Touched;
  /** Transactions before this one had ended when the plan was begun. */
  readonly since: string;
  /** Versions of resources that were found by search keys, by `Type rid`. */
  readonly seen: ReadonlyMap<string, number>;
}

export interface PlanTools extends RecordTools {
  /** Texts as they are stored. */
  readonly rawReads: Pipeline;
  /** Opens them; absent: nothing is stored encrypted. */
  readonly shield: Shield | undefined;
  readonly baseUrl: string;
}

export interface PlanOptions {
  /** Reads every text as well, for deleted resources and references that no search parameter shows. */
  readonly isWhole: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Resources that are looked at together. */
const TOGETHER = 50;

/** Makes the plan of some patients. */
export async function planRemoval(
  tools: PlanTools,
  patientIds: readonly string[],
  { isWhole, signal }: PlanOptions,
): Promise<Plan> {
  const { reads, rawReads, keys, ownership } = tools;
  const [snapshot] = await rawReads.query({
    text: 'select pg_snapshot_xmin(pg_current_snapshot())::text',
    values: [],
  });
  const ids = new Set(patientIds);
  const patients = patientIds.map((id): Held => ({ type: 'Patient', rid: String(keys.rids.rid(id)), id }));
  const own = new Map<string, Held>();
  const staying = new Map<string, Held>();
  const others = new Set<string>();
  /** The patients' identifiers: values, and the systems each has. */
  const identifiers = new Map<string, Set<unknown>>();
  const people: Telltale[] = [];
  /** By what stays: the patients it is about, and what it refers to. */
  const links = new Map<string, { readonly of: ReadonlySet<string>; readonly to: ReadonlySet<string> }>();
  const binaries = new Set<string>();
  const keptBinaries = new Set<string>();
  const binaryLink = new RegExp(`"(?:${RegExp.escape(`${tools.baseUrl}/`)})?Binary/([A-Za-z0-9.-]{1,64})"`, 'g');
  const dataKeys = new Set(
    (
      await rawReads.query({
        text: 'select id from mortar.data_key where pat = any($1::bigint[])',
        values: [patients.map(({ rid }) => rid)],
      })
    ).map(([id]) => id as string),
  );

  const binariesIn = (versions: readonly StoredVersion[]): string[] =>
    versions.flatMap(({ content }) => Array.from(content.matchAll(binaryLink), ([, id]) => id as string)); // it always matches

  function noteOwn(held: Held, versions: readonly StoredVersion[]): void {
    for (const id of binariesIn(versions)) binaries.add(id);
    if (held.type !== 'Patient') own.set(`${held.type}/${held.id}`, held);
  }

  function noteStaying(held: Held, content: Content, versions: readonly StoredVersion[]): void {
    const of = ownership.patientsOf(content);
    staying.set(`${held.type}/${held.id}`, held);
    const newest = versions.find(({ content: text }) => text !== '');
    links.set(`${held.type}/${held.id}`, { of, to: mentionsIn(newest?.content ?? '') });
    for (const id of of) if (!ids.has(id)) others.add(String(keys.rids.rid(id)));
    for (const id of binariesIn(versions)) {
      keptBinaries.add(id);
      own.delete(`Binary/${id}`);
    }
  }

  /** Documents lie in Binary resources of their own; one that something else names, or that is somebody else's, stays. */
  async function addBinaries(): Promise<void> {
    for (const id of binaries) {
      if (keptBinaries.has(id)) continue;
      const held = { type: 'Binary', rid: String(keys.rids.rid(id)), id };
      const versions = await versionsOf(reads, 'Binary', held.rid, 'as-empty');
      const newest = versions.find(({ content }) => content !== '');
      if (!newest || newest.id !== id) continue;
      const context = contentOf(newest)['securityContext'] as { readonly reference?: string } | undefined; // validated
      if (context?.reference === undefined || isGone(context.reference)) own.set(`Binary/${id}`, held);
    }
  }

  /** Old versions may name documents that the current ones do not. */
  async function addOldLinks(type: string): Promise<void> {
    const { main, history } = tableOf(type);
    const of = (held: ReadonlyMap<string, Held>): string[] =>
      [...held.values()].flatMap((one) => (one.type === type ? [one.rid] : []));
    const rows = await reads.query({
      text: `select m.id, h.content from ${history} h join ${main} m on m.rid = h.rid
where h.rid = any($1::bigint[]) and (h.content like '%Binary/%' or h.content like '%${SEALED}%')`,
      values: [[...of(own), ...of(staying)]],
      unopened: 'as-empty',
    });
    for (const [id, content] of rows)
      for (const [, binary] of (content as string).matchAll(binaryLink)) {
        if (own.has(`${type}/${id}`))
          binaries.add(binary as string); // the group always matches
        else keptBinaries.add(binary as string);
      }
  }

  function referringTo(reference: string, consent: Content): string[] {
    const of = ownership.patientsOf(consent);
    const isTheirs = ([name, link]: readonly [string, { of: ReadonlySet<string>; to: ReadonlySet<string> }]): boolean =>
      name !== `Consent/${consent['id']}` && link.to.has(reference) && !of.isDisjointFrom(link.of);
    return [...links]
      .filter(isTheirs)
      .map(([name]) => name)
      .sort();
  }

  function isGone(link: string): boolean {
    const local = ownership.localReference(link);
    return local !== undefined && (own.has(local) || (local.startsWith('Patient/') && ids.has(local.slice(8))));
  }

  const seen = new Map<string, number>();
  const judged = new Set(patients.map(({ type, rid }) => `${type} ${rid}`));
  function note(held: Held, newest: StoredVersion, versions: readonly StoredVersion[]): void {
    judged.add(`${held.type} ${held.rid}`);
    const content = contentOf(newest);
    if (ownership.whose(content, ids) === 'own') noteOwn(held, versions);
    else noteStaying(held, content, versions);
  }

  /** What is found by its keys; where it cannot be opened, its row says whose it is. */
  function noteFound(held: Held, version: StoredVersion): void {
    const name = `${held.type} ${held.rid}`;
    seen.set(name, version.versionId);
    if (judged.has(name)) return;
    judged.add(name);
    if (version.content !== '') note(held, version, [version]);
    else if (patients.some(({ rid }) => rid === version.patientRid)) noteOwn(held, []);
  }

  async function judge(type: string, rid: string): Promise<void> {
    const versions = await versionsOf(reads, type, rid, 'as-empty');
    const newest = versions.find(({ content }) => content !== '');
    if (newest) note({ type, rid, id: newest.id }, newest, versions);
  }

  for (const patient of patients) {
    const versions = await versionsOf(reads, 'Patient', patient.rid, 'as-empty');
    noteOwn(patient, versions);
    people.push(telltaleOf(versions, identifiers));
  }
  await visitRecord(tools, patientIds, noteFound);
  for (const type of new Set([...own.values(), ...staying.values()].map((held) => held.type))) await addOldLinks(type);
  await addBinaries();
  for (let size = -1; isWhole && size !== own.size; ) {
    size = own.size;
    const wanted = [
      ...patients.map(({ id }) => words.reference('Patient', id)),
      ...own.keys(),
      ...[...identifiers.keys()].map(words.identifier),
      ...[...dataKeys].map(words.dataKey),
    ];
    const hits: (readonly [type: string, rid: string])[] = [];
    const isNew = (type: string, rid: string): boolean => !judged.has(`${type} ${rid}`);
    await findMentions(tools, wanted, (type, rid) => isNew(type, rid) && hits.push([type, rid]), signal);
    for (let at = 0; at < hits.length; at += TOGETHER)
      await Promise.all(hits.slice(at, at + TOGETHER).map((hit) => judge(...hit)));
    await addBinaries();
  }
  return {
    patients,
    own,
    // Consents first: they name what the others will no longer refer to.
    staying: new Map([...staying].sort(([a], [b]) => Number(isConsent(b)) - Number(isConsent(a)))),
    dataKeys,
    people,
    gone: {
      isGone,
      isTheirs: (system, value) => typeof value === 'string' && identifiers.get(value)?.has(system) === true,
      isOwn: (resource) => ownership.whose(resource, ids) === 'own',
      localOf: ownership.localReference,
      referringTo,
    },
    touched: {
      patients: [...patients.map(({ rid }) => rid), ...others],
      resources: [...own.values(), ...staying.values(), ...patients],
      contentOf: async ({ type, rid }) => (await versionsOf(reads, type, rid)).find(({ content }) => content !== ''),
    },
    since: snapshot?.[0] as string, // a snapshot has one
    seen,
  };
}

const isConsent = (name: string): boolean => name.startsWith('Consent/');

/** By what a message shows that it is about somebody, over all versions of their Patient. */
function telltaleOf(versions: readonly StoredVersion[], identifiers: Map<string, Set<unknown>>): Telltale {
  const found: { system: string | undefined; value: string }[] = [];
  const marks = new Set<string>();
  for (const version of versions) {
    if (version.content === '') continue;
    const { identifier, name, birthDate } = contentOf(version) as {
      readonly identifier?: readonly { readonly system?: string; readonly value?: string }[];
      readonly name?: readonly { readonly family?: string }[];
      readonly birthDate?: string;
    }; // validated
    for (const { system, value } of identifier ?? []) {
      if (value === undefined) continue;
      found.push({ system, value });
      identifiers.set(value, (identifiers.get(value) ?? new Set()).add(system));
    }
    for (const { family } of name ?? []) if (family !== undefined) marks.add(family.toLowerCase());
    if (birthDate !== undefined) for (const mark of [birthDate, birthDate.replaceAll('-', '')]) marks.add(mark);
  }
  return { identifiers: found, marks: [...marks].filter((mark) => mark.length > 2) };
}
