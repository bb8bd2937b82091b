/** Bulk data over HTTP, as a program takes and brings it: asks, waits for the manifest, tells how long. docs/bulk.md */
import { setTimeout as sleep } from 'node:timers/promises';
import { recordOf } from './records.ts';

export interface BulkTarget {
  readonly port: number;
  readonly token: string;
}

export interface Manifest {
  readonly lines?: number;
  readonly failed?: number;
  readonly output: readonly { readonly type: string; readonly url?: string; readonly count: number }[];
}

const POLL_MS = 20;

/** Lines of whole patients, with ids of their own, so that references hold; `from` is the first patient. */
export function* recordLines(from: number, patients: number): Generator<string> {
  for (let n = from; n < from + patients; n++) {
    const record = recordOf(n);
    const references = new Map(
      record.map(({ fullUrl, resource }, i) => [fullUrl, `${resource.resourceType}/b-${n}-${i}`]),
    );
    const text = JSON.stringify(record.map(({ resource }, i) => ({ ...resource, id: `b-${n}-${i}` }))).replace(
      /urn:uuid:[0-9a-f-]{36}/g,
      (urn) => references.get(urn) ?? urn,
    );
    for (const line of JSON.parse(text) as object[]) yield JSON.stringify(line);
  }
}

/** Starts what is answered later; resolves to the address of its status. */
export async function ask({ port, token }: BulkTarget, path: string, body?: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/fhir/R4/${path}`, {
    ...(body !== undefined && { method: 'POST', body }),
    headers: {
      Authorization: `Bearer ${token}`,
      Prefer: 'respond-async',
      ...(body !== undefined && { 'Content-Type': 'application/fhir+ndjson' }),
    },
  });
  const text = await answer.text();
  const url = answer.headers.get('content-location');
  if (answer.status !== 202 || url === null) throw new Error(`${path}: ${answer.status} ${text.slice(0, 300)}`);
  return url;
}

/** Asks for the status until there is a manifest. */
export async function manifestOf({ token }: BulkTarget, url: string): Promise<Manifest> {
  for (;;) {
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
    const text = await answer.text();
    if (answer.status === 200) return JSON.parse(text) as Manifest;
    if (answer.status !== 202) throw new Error(`${url}: ${answer.status} ${text.slice(0, 300)}`);
    await sleep(POLL_MS);
  }
}

/** Ends it, and what is kept of it. */
export async function end({ token }: BulkTarget, url: string): Promise<void> {
  const answer = await fetch(url, { method: 'DELETE', headers: { Authorization: `Bearer ${token}` } });
  await answer.arrayBuffer();
}
