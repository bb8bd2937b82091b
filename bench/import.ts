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

/** At least `size` resources of whole patients. */
export async function loadRecords(target: Target, size: number): Promise<Loaded> {
  const patients = Math.ceil(size / RECORD_SIZE);
  let nextPatient = 0;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (nextPatient < patients) {
      const resources = [];
      // A record's references stay inside its bundle.
      while (resources.length + RECORD_SIZE <= Math.max(BUNDLE, RECORD_SIZE) && nextPatient < patients)
        resources.push(...recordOf(nextPatient++));
      await post(target, JSON.stringify(transactionOf(resources)));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  const resources = patients * RECORD_SIZE;
  return { resources, patients, rate: resources / ((performance.now() - started) / 1000) };
}

async function post({ port, token }: Target, body: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/fhir/R4`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/fhir+json', Authorization: `Bearer ${token}` },
    body,
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`loading failed: ${answer.status} ${text.slice(0, 500)}`);
}
