/** Subscriptions of tests: posted, and waited for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { FhirClient, Json } from './fhir-client.ts';

const PATIENCE_MS = 60_000;

/** Resolves to the Subscription when it has the status. */
export async function waitForStatus(client: FhirClient, id: string, status: string): Promise<Json> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = (await client.get(`Subscription/${id}`)).json();
    if (found['status'] === status) return found;
    if (Date.now() > deadline) throw new Error(`it is ${String(found['status'])}: ${String(found['error'])}`);
    await sleep(25);
  }
}

/** Posts it, and resolves to its id when it is active. */
export async function openSubscription(client: FhirClient, resource: Json): Promise<string> {
  const reply = await client.post('Subscription', resource);
  expect(reply.status, reply.text).equal(201);
  const { id } = reply.json<{ id: string }>();
  await waitForStatus(client, id, 'active');
  return id;
}
