/** What is measured. Each case makes whole HTTP requests, prepared beforehand where they can be. */
import type pg from 'pg';
import type { Loaded } from './import.ts';
import { get, type Target, withBody } from './load.ts';
import {
  CHOLESTEROL,
  createRandom,
  FAMILIES,
  GLUCOSE,
  IDENTIFIER_SYSTEM,
  MEASURE_CODES,
  MEASURED_A_PATIENT,
  type Measure,
  recordOf,
  transactionOf,
  valueBelow,
} from './records.ts';

export interface Case {
  readonly name: string;
  readonly port: number;
  readonly next: () => Buffer;
  readonly baseline?: boolean;
  /** Baseline of the ratio. */
  readonly against?: string;
  readonly connections?: number;
  /** Resources a request writes. */
  readonly resources?: number;
  /** One of the families of searches; the goals speak of these. */
  readonly isSearch?: boolean;
}

export interface Figures {
  readonly name: string;
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly ratio: number;
  readonly failed: number;
  /** µs of CPU a request. */
  readonly cpuServer: number;
  readonly cpuPostgres: number;
  /** MiB */
  readonly rss: number;
}

interface Person {
  readonly name: readonly [{ readonly family: string; readonly given: readonly string[] }];
  readonly birthDate: string;
}

const PREPARED = 2_000;
const FHIR = '/fhir/R4';

export async function createCases(admin: pg.Client, mortar: Target, barePort: number, loaded: Loaded): Promise<Case[]> {
  const { port } = mortar;
  const bareServer: Target = { port: barePort };
  const random = createRandom(7);
  const any = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const prepared = (make: () => Buffer): (() => Buffer) => {
    const list = Array.from({ length: PREPARED }, make);
    let at = 0;
    return () => list[at++ % PREPARED] as Buffer;
  };
  const ids = async (table: string): Promise<{ id: string; content: string }[]> =>
    (await admin.query(`select id, content from fhir.${table} order by md5(id) limit ${PREPARED}`)).rows as {
      id: string;
      content: string;
    }[];
  const observations = await ids('observation');
  const patients = await ids('patient');
  const encounters = await ids('encounter');
  await admin.query('truncate bare.t');
  await admin.query(
    'insert into bare.t select gen_random_uuid(), content from (select content from fhir.observation limit 100000) x',
  );
  await admin.query('vacuum analyze bare.t');
  const bare = (await admin.query(`select id from bare.t order by md5(id::text) limit ${PREPARED}`)).rows as {
    id: string;
  }[];
  const subject = { reference: `Patient/${patients[0]?.id}` };
  const created = JSON.stringify({
    ...recordOf(1).find((r) => r.resource.resourceType === 'Observation')?.resource,
    subject,
    encounter: undefined,
  });
  const code = (): string => `http://loinc.org%7C${any(MEASURE_CODES)}`;
  const day = (): string =>
    `${2012 + Math.floor(random() * 14)}-0${1 + Math.floor(random() * 9)}-1${Math.floor(random() * 9)}`;
  const patient = (): string => any(patients).id;
  const encounter = (): string => any(encounters).id;
  /** Blood glucose and weight, at values of which there are few. */
  const quantity = (): string =>
    `${any(['gt', 'ge', ''])}${(135 + random() * 5).toFixed(2)}%7Chttp://unitsofmeasure.org%7C${any(['mg/dL', 'kg'])}`;
  const measured = (): string => `http://loinc.org%7C2339-0%24gt${(138 + random() * 2).toFixed(2)}`;
  const people = patients.map(({ content }) => JSON.parse(content) as Person);
  const person = ({ name: [{ family, given }], birthDate }: Person): string =>
    `family=${family}&given=${given[0]}&birthdate=${birthDate}`;
  /** Above it lie some ten of the values of a measure, however many there are of it. */
  const few = (measure: Measure): string =>
    valueBelow(measure, (5 + random() * 10) / (MEASURED_A_PATIENT * loaded.patients)).toFixed(4);
  const search = (name: string, path: () => string): Case => ({
    name,
    port,
    against: 'bare select',
    isSearch: true,
    next: prepared(() => get(mortar, FHIR + path())),
  });
  const searches = [
    search(
      'search identifier',
      () => `/Patient?identifier=${IDENTIFIER_SYSTEM}%7CP-${Math.floor(random() * loaded.patients)}`,
    ),
    search('search patient + token', () => `/Observation?patient=${patient()}&code=${code()}&_count=20`),
    search('search date', () => `/Encounter?date=ge${day()}&_count=20`),
    search('search name', () => `/Patient?name=${any(FAMILIES).slice(0, 4)}${''}&_count=20`),
    search(
      'search chain',
      () =>
        `/MedicationRequest?patient.identifier=${IDENTIFIER_SYSTEM}%7CP-${Math.floor(random() * loaded.patients)}&_count=20`,
    ),
    search('search _has', () => `/Patient?gender=female&_has:Observation:patient:code=${code()}&_count=20`),
    search('search reference', () => `/Observation?encounter=${encounter()}&_count=20`),
    search('search quantity', () => `/Observation?value-quantity=${quantity()}&_count=20`),
    search('search composite', () => `/Observation?code-value-quantity=${measured()}&_count=20`),
    search('search name, one person', () => `/Patient?${person(any(people))}&_count=20`),
    search('search name, one letter', () => `/Patient?name=${any(FAMILIES).slice(0, 1)}&_count=20`),
    search(
      'search quantity, ten match',
      () => `/Observation?value-quantity=gt${few(CHOLESTEROL)}%7Chttp://unitsofmeasure.org%7Cmg/dL&_count=20`,
    ),
    search(
      'search composite, ten match',
      () => `/Observation?code-value-quantity=http://loinc.org%7C${GLUCOSE[0]}%24gt${few(GLUCOSE)}&_count=20`,
    ),
    search(
      'search composite, 1 in 23',
      () =>
        `/Observation?code-value-quantity=http://loinc.org%7C${GLUCOSE[0]}%24gt${valueBelow(GLUCOSE, 0.043).toFixed(2)}&_count=20`,
    ),
    search(
      'search _include',
      () =>
        `/MedicationRequest?patient=${patient()}&_include=MedicationRequest:encounter&_include=MedicationRequest:patient&_count=20`,
    ),
    search('search patient sorted by date', () => `/Observation?patient=${patient()}&_sort=-date&_count=20`),
    search('search token sorted by date', () => `/Observation?code=${code()}&_sort=-date&_count=20`),
  ];
  let version = 0;
  const updates = observations.map(({ id, content }) => ({
    id,
    resource: JSON.parse(content) as Record<string, unknown>,
  }));
  const bundle = (): Buffer => {
    const n = 10_000_000 + Math.floor(random() * 1e9);
    const resources = [...recordOf(n), ...recordOf(n + 1)].slice(0, 100);
    return withBody(mortar, 'POST', FHIR, JSON.stringify(transactionOf(resources)));
  };
  const bundles = Array.from({ length: 200 }, bundle);
  let nextBundle = 0;
  const read = prepared(() => get(mortar, `${FHIR}/Observation/${any(observations).id}`));
  return [
    { name: 'bare select', port: barePort, baseline: true, next: prepared(() => get(bareServer, `/${any(bare).id}`)) },
    { name: 'read', port, against: 'bare select', next: read },
    ...searches,
    { name: 'bare insert', port: barePort, baseline: true, next: () => withBody(bareServer, 'POST', '/', created) },
    {
      name: 'create',
      port,
      against: 'bare insert',
      next: () => withBody(mortar, 'POST', `${FHIR}/Observation`, created),
    },
    {
      name: 'update',
      port,
      against: 'bare insert',
      next: () => {
        const { id, resource } = any(updates);
        return withBody(
          mortar,
          'PUT',
          `${FHIR}/Observation/${id}`,
          JSON.stringify({ ...resource, note: [{ text: `change ${version++}` }] }),
        );
      },
    },
    {
      name: 'transaction of 100',
      port,
      connections: 4,
      resources: 100,
      next: () => bundles[nextBundle++ % bundles.length] as Buffer,
    },
    { name: 'read, 1 connection', port, connections: 1, next: read },
    ...searches
      .map((c) => ({ ...c, name: `${c.name}, 1 connection`, connections: 1 }))
      .map(({ against: _a, ...c }) => c),
  ];
}
