/**
 * What pharmacies are told beside their queue: a controlled drug at once, all else once a day at eight, and only where something
 * waits. Each is a Communication whose id says what it is about, so that it is made once, whoever tries. MISSION M10, M13
 */
import { nameUuid } from '../../mapping/transaction-bundle.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { QueueCounts } from '../../ports/dispense-queue.ts';
import type { Resource, ResourceStore } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import type { NoticeCode } from '../notices/kinds.ts';
import { NOTICE_CATEGORY } from '../prescribing/systems.ts';
import { localTime } from './opening-hours.ts';
import type { Node, Pharmacies } from './pharmacies.ts';

const DIGEST_MINUTES = 8 * 60;
const MINUTE_MS = 60_000;
const SERVICE = serviceCaller('dispensing');

export interface PharmacyNoticesOptions {
  readonly store: Pick<ResourceStore, 'read' | 'transaction'>;
  readonly queue: {
    pharmaciesWithOpen(at: number): Promise<readonly string[]>;
    hasOpenSince(pharmacyId: string, issuedBefore: number): Promise<boolean>;
  };
  /** What waits at a pharmacy, as far as its own people may see it. SECURITY FA-06 */
  readonly waiting: (pharmacyId: string) => Promise<QueueCounts>;
  readonly pharmacies: Pick<Pharmacies, 'find'>;
  /** How people reach us. */
  readonly url: string;
  readonly timeZone: string;
  readonly now: () => number;
}

export interface PharmacyNotices {
  /** Digests that are due and were not made: resolves to how many it made. */
  digest(): Promise<number>;
  /** Of the Task of a controlled drug. */
  alert(taskId: string): Promise<void>;
  /** Paragraphs of a digest as of now; undefined where nothing waits. */
  digestOf(pharmacyId: string): Promise<string | undefined>;
}

export function createPharmacyNotices(options: PharmacyNoticesOptions): PharmacyNotices {
  const { store, queue, waiting, pharmacies, url, timeZone, now } = options;
  const link = `${url}/api/pharmacy/queue`;
  /** The day whose digests this process knows to be made. */
  let done: { readonly date: string; readonly ids: Set<string> } = { date: '', ids: new Set() };

  /** True where it was not there. */
  async function make(
    id: string,
    pharmacyId: string,
    code: NoticeCode,
    text: string,
    about?: string,
  ): Promise<boolean> {
    const resource: Resource = {
      resourceType: 'Communication',
      id,
      status: 'completed',
      category: [{ coding: [{ system: NOTICE_CATEGORY, code }] }],
      ...(about !== undefined && { about: [{ reference: about }] }),
      recipient: [{ reference: `Organization/${pharmacyId}` }],
      sent: new Date(now()).toISOString(),
      payload: [{ contentString: text }],
    };
    let isNew = false;
    await store.transaction(SERVICE, (tx) =>
      tx.write(
        [{ kind: 'update', operation: 'update', type: 'Communication', id, change: (current) => current ?? resource }],
        async ([result]) => {
          isNew = result?.outcome === 'created';
        },
      ),
    );
    return isNew;
  }

  async function digestOf(pharmacyId: string): Promise<string | undefined> {
    const counts = await waiting(pharmacyId);
    const total = counts.controlled + counts.high_risk + counts.routine;
    if (total === 0) return undefined;
    return digestText((await pharmacies.find(pharmacyId))?.name ?? 'pharmacy', total, counts);
  }

  return {
    digestOf,

    async digest() {
      const at = now();
      const { date, minutes } = localTime(at, timeZone);
      if (minutes < DIGEST_MINUTES) return 0;
      const eight = at - (at % MINUTE_MS) - (minutes - DIGEST_MINUTES) * MINUTE_MS;
      if (done.date !== date) done = { date, ids: new Set() };
      let made = 0;
      for (const pharmacyId of await queue.pharmaciesWithOpen(at)) {
        if (done.ids.has(pharmacyId)) continue;
        // What came after eight is told of tomorrow, also by who was not running at eight.
        const isDue = await queue.hasOpenSince(pharmacyId, eight);
        const text = isDue ? await digestOf(pharmacyId) : undefined;
        if (text === undefined) {
          done.ids.add(pharmacyId);
          continue;
        }
        if (await make(nameUuid('pharmacy-digest', pharmacyId, date), pharmacyId, 'pharmacy-digest', text)) made += 1;
        done.ids.add(pharmacyId);
      }
      return made;
    },

    async alert(taskId) {
      const task = parseJson((await store.read(SERVICE, 'Task', taskId)).content) as Node;
      const owner = String((task['owner'] as Node | undefined)?.['reference'] ?? '').replace(/^Organization\//, '');
      const [identifier] = (task['identifier'] ?? []) as readonly Node[]; // validated
      const text = `A prescription for a controlled drug has arrived: ${String(identifier?.['value'])}.\n\nIt is first in your queue: ${link}\n`;
      await make(nameUuid('controlled-alert', taskId), owner, 'controlled-drug', text, `Task/${taskId}`);
    },
  };
}

const digestText = (name: string, total: number, counts: QueueCounts): string =>
  [
    `Good morning, ${name}.`,
    `${total} ${total === 1 ? 'prescription waits' : 'prescriptions wait'} in your queue:`,
    `- controlled drugs: ${counts.controlled}\n- high risk: ${counts.high_risk}\n- routine: ${counts.routine}`,
  ].join('\n\n');
