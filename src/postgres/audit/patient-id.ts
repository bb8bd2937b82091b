/** Patients by the key under which the trail knows them. */
import type { Pipeline } from '../pools.ts';

/** The id of a patient's rid (a decimal). Index: the primary key. */
export async function findPatientId(reads: Pipeline, rid: string): Promise<string | undefined> {
  const [row] = await reads.query({
    name: 'patient-id-of-rid',
    text: "select id from fhir.patient where rid = $1::bigint and op <> 'D'",
    values: [rid],
  });
  return row?.[0] as string | undefined;
}
