/** Composition of posted search parameters: known at the start, told of by other processes, indexed here. docs/fhir.md */
import { setTimeout } from 'node:timers/promises';
import { every } from './every.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { Clock } from './ports/clock.ts';
import type { CustomParameterDesk } from './ports/custom-parameters.ts';
import type { Log } from './ports/log.ts';
import type { StoredVersion } from './ports/resource-store.ts';
import type { KnownParameters } from './postgres/custom-parameters.ts';
import { withCustomParameters } from './postgres/custom-store.ts';
import { readAndFollow } from './postgres/known-profiles.ts';
import type { OpenStore } from './postgres/store.ts';
import { parseJson } from './standards/fhir/json.ts';
import type { CustomParameter } from './standards/fhir/search/custom-parameter.ts';
import type { CustomRegistry } from './standards/fhir/search/custom-registry.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';

export interface CustomParameterParts {
  readonly store: OpenStore;
  readonly parameters: CustomRegistry;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly now: Clock;
  readonly log: Log;
}

export interface CustomParameters {
  /** Through which everything is read and written from here on. */
  readonly store: OpenStore;
  readonly desk: CustomParameterDesk;
  stop(): Promise<void>;
}

/** How soon a process knows what another has written. */
const CATCH_UP_EVERY_MS = 5_000;
const TELL_EVERY_STEPS = 5;
const BUSY_MS = 20;
/** While other processes have still to hear of it. */
const AGAIN_MS = 250;

export async function openCustomParameters(parts: CustomParameterParts): Promise<CustomParameters> {
  const { store: inner, parameters, searchOf, now, log } = parts;
  const { customParameters: book } = inner;
  const stopping = new AbortController();
  const { signal } = stopping;
  const ended = new Map<string, number>();
  let isOpen = false;

  const take = ({ id, versionId, operation, content }: StoredVersion): void => {
    if ((parameters.versionOf(id) ?? 0) >= versionId) return;
    const resource = operation === 'delete' || content === '' ? undefined : parseJson(content);
    const before = parameters.list();
    parameters.put(id, versionId, resource as Readonly<Record<string, unknown>> | undefined); // stored text was checked
    const after = new Map(parameters.list().map((one) => [one.id, one]));
    if (!after.has(id)) ended.set(id, versionId);
    // A composite goes with a component of its, and must be indexed anew when that is back.
    for (const one of before)
      if (one.id !== id && after.get(one.id)?.fingerprint !== one.fingerprint) ended.set(one.id, one.version);
    if (isOpen) turn();
  };
  const { store, drained } = withCustomParameters(inner, { check: parameters.check, note: take });
  const known: KnownParameters = {
    get list() {
      return parameters.list().map(indexed);
    },
    versionOf: parameters.versionOf,
    drained,
  };

  async function agree(): Promise<void> {
    for (const [id, version] of [...ended]) {
      await book.retire(id, version);
      if (ended.get(id) === version) ended.delete(id);
    }
    parameters.setStates(await book.agree(known));
  }
  const isWaiting = (): boolean => parameters.list().length > parameters.searchable().length;

  async function work(): Promise<void> {
    await agree();
    for (let steps = 1; isWaiting() && !signal.aborted; steps++) {
      const done = await book.step();
      if (done === 'busy') await setTimeout(BUSY_MS);
      if (done === 'nothing') await setTimeout(AGAIN_MS, undefined, { signal }).catch(() => undefined);
      if (done === 'nothing' || steps % TELL_EVERY_STEPS === 0) await agree();
    }
  }
  let running: Promise<void> | undefined;
  let isAgain = false;
  /** At once, or when the turn under way is over. */
  function turn(): void {
    isAgain = true;
    running ??= (async () => {
      while (isAgain && !signal.aborted) {
        isAgain = false;
        await work().catch((error: unknown) => log.error('custom search parameters could not be indexed', { error }));
      }
      running = undefined;
    })();
  }

  const caller = serviceCaller('jobs');
  const catchUp = await readAndFollow({ store: inner, types: ['SearchParameter'], note: take, caller, searchOf, now });
  ended.clear(); // what is gone since the last start, whichever way
  await book.tidy(known);
  await agree();
  isOpen = true;
  if (isWaiting()) turn();
  const end = every(
    CATCH_UP_EVERY_MS,
    async () => {
      await catchUp();
      turn();
    },
    (error) => log.error('custom search parameters could not be read again', { error }),
  );
  return {
    store,
    desk: { status: book.status },
    async stop() {
      stopping.abort();
      await end();
      await running;
    },
  };
}

const indexed = ({ id, version, fingerprint, of }: CustomParameter) => ({
  id,
  version,
  fingerprint,
  types: [...of.keys()],
});
