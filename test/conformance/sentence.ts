/**
 * One row a sentence of the specification that says SHALL or SHOULD, in our own short words, with the requests that show
 * it. Requests and what is expected may name what the bench has made: `{p}` a patient of version 1, `{q}` one of version 2,
 * `{gone}` a deleted one, `{base}` the server, `{n}` a number that is the row's own, and what an earlier step has saved.
 */
import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import type { FhirClient, Reply } from '../support/fhir-client.ts';

export type Level = 'SHALL' | 'SHOULD' | 'MAY';

export interface Step {
  readonly method?: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status?: number | readonly number[];
  /** Of the answer; null: it must not be there. */
  readonly header?: Readonly<Record<string, RegExp | null>>;
  /** The text of the answer. */
  readonly has?: RegExp | readonly RegExp[];
  readonly lacks?: RegExp;
  /** Ids of the matches of a search, in any order, with a space between. */
  readonly ids?: string;
  /** The same in this order. */
  readonly order?: string;
  /** Total of the bundle; null: none. */
  readonly total?: number | null;
  /** Names under which later steps know the id, and the text of a header. */
  readonly saveId?: string;
  readonly save?: Readonly<Record<string, string>>;
  /** Asks again while the answer is 202. */
  readonly waits?: true;
  /** Anything else. */
  readonly check?: (reply: Reply) => void;
}

export interface Sentence {
  readonly section: string;
  readonly level: Level;
  readonly says: string;
  readonly steps: readonly Step[];
  /** Why Mortar does otherwise, as docs/fhir.md says; the steps show what it does. */
  readonly deviates?: string;
}

type Row = readonly [level: Level, says: string, steps: Step | readonly Step[], deviates?: string];

/** The rows of one section. */
export const section = (name: string, rows: readonly Row[]): readonly Sentence[] =>
  rows.map(([level, says, steps, deviates]) => ({
    section: name,
    level,
    says,
    steps: 'path' in steps ? [steps] : steps,
    ...(deviates !== undefined && { deviates }),
  }));

/** A search of the data set and the ids that it finds. */
export const finds = (query: string, ids: string): Step => ({ path: query, ids });
export const refused = (path: string, has: RegExp = /OperationOutcome/, status: number = 400): Step => ({
  path,
  status,
  has,
});

export type Names = Readonly<Record<string, string>>;

const PAUSE_MS = 50;
const TURNS_MAX = 1200;

const fill = (text: string, names: Names): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => names[name] ?? whole);
const pattern = (regexp: RegExp, names: Names): RegExp =>
  new RegExp(
    regexp.source.replace(
      /\\?\{(\w+)\\?\}/g,
      (whole, name: string) => names[name]?.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&') ?? whole,
    ),
    regexp.flags,
  );

/** Runs the steps of a row; throws where one is answered otherwise. */
export async function runSteps(fhir: FhirClient, steps: readonly Step[], made: Names): Promise<void> {
  const names: Record<string, string> = { ...made };
  for (const step of steps) {
    const path = fill(step.path, names);
    const where = `${step.method ?? 'GET'} ${path}`;
    const body =
      step.body === undefined
        ? undefined
        : typeof step.body === 'string'
          ? fill(step.body, names)
          : (JSON.parse(fill(JSON.stringify(step.body), names)) as object);
    const headers = Object.fromEntries(
      Object.entries(step.headers ?? {}).map(([name, value]) => [name, fill(value, names)]),
    );
    const ask = (): Promise<Reply> => fhir.request(step.method ?? 'GET', path, body, headers);
    let reply = await ask();
    for (let turn = 0; step.waits && reply.status === 202 && turn < TURNS_MAX; turn++) {
      await setTimeout(PAUSE_MS);
      reply = await ask();
    }
    check(reply, step, names, where);
    if (step.saveId !== undefined) names[step.saveId] = reply.json<{ id: string }>().id;
    for (const [name, header] of Object.entries(step.save ?? {})) names[name] = reply.headers.get(header) ?? '';
  }
}

function check(reply: Reply, step: Step, names: Names, where: string): void {
  const shown = `${where}: ${reply.status} ${reply.text.slice(0, 400)}`;
  expect(reply.status, shown).be.oneOf(typeof step.status === 'number' ? [step.status] : [...(step.status ?? [200])]);
  for (const [name, expected] of Object.entries(step.header ?? {}))
    if (expected === null) expect(reply.headers.get(name), `${name} of ${shown}`).equal(null);
    else expect(reply.headers.get(name) ?? '', `${name} of ${shown}`).match(pattern(expected, names));
  const has = step.has === undefined ? [] : step.has instanceof RegExp ? [step.has] : step.has;
  for (const expected of has) expect(reply.text, shown).match(pattern(expected, names));
  if (step.lacks) expect(reply.text, shown).not.match(pattern(step.lacks, names));
  const wanted = step.ids ?? step.order;
  if (wanted !== undefined) {
    const { entry = [] } = reply.json<{ entry?: { resource: { id: string }; search: { mode: string } }[] }>();
    const found = entry.filter(({ search }) => search.mode === 'match').map(({ resource }) => resource.id);
    const ids = fill(wanted, names)
      .split(' ')
      .filter((id) => id !== '');
    if (step.order === undefined) expect(found.sort(), shown).deep.equal(ids.sort());
    else expect(found, shown).deep.equal(ids);
  }
  if (step.total !== undefined) expect(reply.json()['total'] ?? null, shown).equal(step.total);
  step.check?.(reply);
}
