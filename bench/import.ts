/** Loads records over HTTP, in transaction bundles of 100 resources. */
import type { Target } from './load.ts';
import { RECORD_SIZE, recordOf, transactionOf } from './records.ts';

const BUNDLE = 100;
const PARALLEL = 4;

export interface Loaded {
  readonly resources: number;
  readonly patients: number;
  /** Resources a second. */
  readonly rate: number;
}

/** Whole patients until there are at least `size` resources; `from` patients are there already. */
export async function loadRecords(target: Target, size: number, from = 0): Promise<Loaded> {
  const patients = Math.ceil(size / RECORD_SIZE);
  let nextPatient = from;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (nextPatient < patients) {
      const resources = [];
      // A record's references stay inside its bundle.
      while (resources.length + RECORD_SIZE <= Math.max(BUNDLE, RECORD_SIZE) && nextPatient < patients)
        resources.push(...recordOf(nextPatient++));
      await postBundle(target, JSON.stringify(transactionOf(resources)));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  const resources = patients * RECORD_SIZE;
  const loaded = Math.max(0, patients - from) * RECORD_SIZE;
  return { resources, patients, rate: loaded / ((performance.now() - started) / 1000) };
}

export async function postBundle({ port, token }: Target, body: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/fhir/R4`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/fhir+json', Authorization: `Bearer ${token}` },
    body,
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`loading failed: ${answer.status} ${text.slice(0, 500)}`);
}
