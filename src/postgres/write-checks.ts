/**
 * Rights on what is written, in the transaction that writes it: the version that goes, the version that comes, and every
 * reference the new one adds. SECURITY AZ-05, CP-10, CP-11
 */
import { type ConsentState, mayWriteConsent } from '../policy/consent-writing.ts';
import type { StoredVersion, TransactionWrite, WriteResult } from '../ports/resource-store.ts';
import { parseJson } from '../standards/fhir/json.ts';
import { forbidden } from '../standards/fhir/outcome.ts';
import type { Letter } from '../standards/smart/scope.ts';
import type { Access } from './access.ts';
import { readConsentRules } from './consent-rules.ts';
import { localPath } from './pointers.ts';
import type { StoreCondition } from './search/condition.ts';
import { compileFilter } from './search/filters.ts';
import { isMatch } from './search/judge.ts';
import { contextOf, type Run, type SearchTools } from './search/search-tools.ts';
import { and } from './search/sql.ts';
import { findTable, tableOf } from './tables.ts';
import type { RowOfVersion } from './writer.ts';

export interface WriteChecks {
  /** Whether any of these writes has to be checked: then nothing may be committed before `checkContents`. */
  readonly isRestricted: boolean;
  /** Throws `forbidden` when a resource that is changed or deleted is hidden, or is not there (both alike). */
  checkBefore(run: Run): Promise<void>;
  /**
   * Throws `forbidden` when a new content refers to what the caller may not see. Asked before anything is written: else
   * an Encounter with a stranger would be the relation by which the stranger may be seen.
   */
  checkReferences(results: readonly WriteResult[], old: ReadonlyMap<string, StoredVersion>, run: Run): Promise<void>;
  /**
   * Throws `forbidden` when a new content is one the caller may not write, or dispenses what they signed (AZ-08). New
   * patients are there by then and nothing else is: no content may be the reason why it is allowed itself.
   */
  checkContents(results: readonly WriteResult[], old: ReadonlyMap<string, StoredVersion>, run: Run): Promise<void>;
}

const LETTER = { create: 'c', make: 'c', update: 'u', delete: 'd' } as const satisfies Record<
  TransactionWrite['kind'],
  Letter
>;

interface Rule {
  readonly type: string;
  /** Absent: made with an id of ours. */
  readonly id: string | undefined;
  readonly letter: Letter;
  readonly conditions: readonly StoreCondition[];
  /**
   * Whether nothing but Consents stands between a program and its writes: it changes none that it may not read, makes those
   * that are not there (CP-10), and is not asked about what it writes.
   */
  readonly isForConsents: boolean;
}

export interface WriteCheckTools {
  readonly search: SearchTools;
  readonly baseUrl: string;
  readonly rowOf: RowOfVersion;
  /** `Type/id` of what the transaction has found for the caller. */
  readonly found: ReadonlySet<string>;
}

/** Throws `forbidden` at once when the caller may do one of these with no resource at all. */
export function createWriteChecks(
  { search, baseUrl, rowOf, found }: WriteCheckTools,
  access: Access,
  writes: readonly TransactionWrite[],
): WriteChecks {
  const rules = writes.map((write): Rule => {
    const type = write.kind === 'create' ? write.resource.resourceType : write.type;
    const letter = LETTER[write.kind];
    const id = write.kind === 'create' || write.kind === 'make' ? undefined : write.id;
    const conditions = access.conditions(type, letter);
    const isForConsents = access.caller.kind !== 'user' && conditions.every(({ kind }) => kind === 'undenied');
    return { type, id, letter, conditions, isForConsents };
  });
  const restricted = rules.filter((rule) => rule.conditions.length > 0);
  const writtenBy = (results: readonly WriteResult[]) =>
    results.flatMap(({ version }, i) => {
      const rule = rules[i];
      if (!rule || rule.isForConsents || rule.conditions.length === 0 || version.operation === 'delete') return [];
      return [{ ...rule, id: version.id, version }];
    });

  return {
    isRestricted: restricted.length > 0,

    async checkBefore(run) {
      const known = restricted.flatMap((rule) => (rule.id === undefined ? [] : [{ ...rule, id: rule.id }]));
      await expectVisible(search, known, run);
    },

    async checkReferences(results, old, run) {
      const references = writtenBy(results).flatMap(({ type, version }) => {
        const before = old.get(`${type}/${version.id}`);
        const known = new Set(before && before.operation !== 'delete' ? referencesOf(before.content, baseUrl) : []);
        return [...referencesOf(version.content, baseUrl)].filter((reference) => !known.has(reference));
      });
      // What is made together may refer to each other: each is judged by itself when it is there.
      const made = new Set(
        writes.flatMap((w) => {
          if (w.kind === 'make') return `${w.type}/${w.id}`;
          return w.kind === 'create' ? `${w.resource.resourceType}/${w.id}` : [];
        }),
      );
      const targets = [...new Set(references).difference(made)].flatMap((reference) => {
        const [type = '', id = ''] = reference.split('/');
        if (found.has(reference) && access.mayReferToFound(type)) return [];
        return { type, id, letter: 'r' as const, conditions: access.referable(type), isForConsents: false };
      });
      await expectVisible(
        search,
        targets.filter((target) => target.conditions.length > 0),
        run,
      );
    },

    async checkContents(results, old, run) {
      const written = writtenBy(results);
      const verdicts = await Promise.all(
        written.map(({ version, conditions }) => isMatch(search, rowOf, version, conditions, run)),
      );
      if (verdicts.includes(false)) throw forbidden();
      for (const { version, outcome } of results)
        if (version.type === 'Consent' && outcome !== 'left-out')
          checkConsent(access, old.get(`Consent/${version.id}`), version, baseUrl);
      const dispensed = written.flatMap(({ type, version }) =>
        type === 'MedicationDispense' ? prescriptionsOf(version.content, baseUrl) : [],
      );
      if (dispensed.length === 0) return;
      const orders = results.filter(({ version: v }) => v.type === 'MedicationRequest' && dispensed.includes(v.id));
      const signed = await Promise.all([
        isAnySigned(search, access, dispensed, run),
        ...orders.map(({ version }) => isMatch(search, rowOf, version, access.signed, run)),
      ]);
      if (signed.includes(true)) throw forbidden();
    },
  };
}

/** Throws `forbidden` when a person writes a Consent that is not theirs to write. SECURITY AZ-08, FA-06 */
function checkConsent(access: Access, before: StoredVersion | undefined, after: StoredVersion, baseUrl: string): void {
  const stateOf = (version: StoredVersion | undefined): ConsentState | undefined => {
    if (!version || version.operation === 'delete') return undefined;
    const consent = parseJson(version.content) as { readonly patient?: { readonly reference?: string } }; // stored text was checked
    const [type, patientId] = localPath(consent.patient?.reference, baseUrl) ?? [];
    const rules = readConsentRules(consent as Readonly<Record<string, unknown>>, baseUrl);
    return { patientId: type === 'Patient' ? patientId : undefined, rules };
  };
  const isWritten = before?.versionId !== after.versionId;
  const may = mayWriteConsent(access.caller, access.mayRecordConsents, stateOf(before), stateOf(after));
  if (isWritten && !may) throw forbidden();
}

/** Ids of the prescriptions that a MedicationDispense names. */
const prescriptionsOf = (content: string, baseUrl: string): readonly string[] => {
  const { authorizingPrescription } = parseJson(content) as { readonly authorizingPrescription?: unknown }; // an object
  return [...localReferences(authorizingPrescription, baseUrl)].flatMap((reference) => {
    const [type, id = ''] = reference.split('/');
    return type === 'MedicationRequest' ? [id] : [];
  });
};

/** Whether the caller signed one of these prescriptions. SECURITY AZ-08 */
async function isAnySigned(search: SearchTools, access: Access, ids: readonly string[], run: Run): Promise<boolean> {
  const context = contextOf(search);
  const rids = ids.map((id) => String(search.keys.rids.rid(id)));
  const where = and([
    `m.rid = any(${context.params.add(rids, 'bigint[]')})`,
    ...access.signed.map((condition) => compileFilter(context, 'MedicationRequest', condition)),
  ]);
  const rows = await run(
    `select 1 from ${tableOf('MedicationRequest').main} m where ${where} limit 1`,
    context.params.values,
  );
  return rows.length > 0;
}

/** Throws `forbidden` when one of these is hidden or not there; one statement a type and letter. */
async function expectVisible(
  search: SearchTools,
  wanted: readonly (Rule & { readonly id: string })[],
  run: Run,
): Promise<void> {
  const groups = Map.groupBy(wanted, ({ type, letter }) => `${letter}${type}`);
  await Promise.all(
    [...groups.values()].map(async (group) => {
      const [first] = group;
      if (!first) return;
      const ids = [...new Set(group.map(({ id }) => id))];
      const context = contextOf(search);
      const rids = ids.map((id) => String(search.keys.rids.rid(id)));
      const there = and([
        `m.rid = any(${context.params.add(rids, 'bigint[]')})`,
        `m.id = any(${context.params.add(ids, 'text[]')})`,
        "m.op <> 'D'",
      ]);
      const filter = and(first.conditions.map((condition) => compileFilter(context, first.type, condition)));
      // Of what is not there nobody has denied anything.
      const where = `${there} and (${filter}) is ${first.isForConsents ? 'not true' : 'true'}`;
      const rows = await run(`select m.id from ${tableOf(first.type).main} m where ${where}`, context.params.values);
      if (rows.length !== (first.isForConsents ? 0 : ids.length)) throw forbidden();
    }),
  );
}

/** `Type/id` of every local reference in a resource, contained ones and resources inside it included. */
export const referencesOf = (content: string, baseUrl: string): ReadonlySet<string> =>
  localReferences(parseJson(content), baseUrl); // stored text was checked

function localReferences(resource: unknown, baseUrl: string): ReadonlySet<string> {
  const found = new Set<string>();
  const base = `${baseUrl}/`;
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) walk(item);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    for (const [name, member] of Object.entries(value)) {
      // An attachment's address of a Binary is a reference too: who points to it may see it (CP-22).
      if (name === 'url' && localPath(member, baseUrl)?.[0] === 'Binary')
        found.add(`Binary/${localPath(member, baseUrl)?.[1]}`);
      if (name !== 'reference' || typeof member !== 'string') {
        walk(member);
        continue;
      }
      const local = member.startsWith(base) ? member.slice(base.length) : member;
      const [type, id] = local.split('/');
      if (type !== undefined && id !== undefined && findTable(type)) found.add(`${type}/${id}`);
    }
  };
  walk(resource);
  return found;
}
