/**
 * What pharmacies are told by mail: a controlled drug at once, all else once a day at eight, and only where something
 * waits. Each is a Communication whose id says what it is about, so that it is made once, whoever tries. MISSION M10, M13
 */
import { nameUuid } from '../../mapping/transaction-bundle.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { QueueCounts } from '../../ports/dispense-queue.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { Resource, ResourceStore } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { NOTICE_CATEGORY } from '../prescribing/systems.ts';
import { localTime } from './opening-hours.ts';
import type { Node, Pharmacies } from './pharmacies.ts';

export const PHARMACY_MAIL = 'pharmacy-mail';
const DIGEST_MINUTES = 8 * 60;
const SERVICE = serviceCaller('dispensing');

export interface PharmacyNoticesOptions {
  readonly store: Pick<ResourceStore, 'read' | 'transaction'>;
  readonly queue: {
    counts(pharmacyId: string): Promise<QueueCounts>;
    pharmaciesWithOpen(at: number): Promise<readonly string[]>;
  };
  readonly pharmacies: Pick<Pharmacies, 'find'>;
  /** Whether there is a mail server. */
  readonly hasMail: boolean;
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
  /** What is to be sent; undefined where it was sent, or nobody can be reached. */
  mailOf(
    communicationId: string,
  ): Promise<{ readonly to: string; readonly subject: string; readonly text: string } | undefined>;
  sent(communicationId: string): Promise<void>;
}

const SUBJECTS = new Map([
  ['pharmacy-digest', 'Your prescriptions this morning'],
  ['controlled-drug', 'A prescription that needs your attention'],
]);

export function createPharmacyNotices(options: PharmacyNoticesOptions): PharmacyNotices {
  const { store, queue, pharmacies, hasMail, url, timeZone, now } = options;
  const link = `${url}/api/pharmacy/queue`;
  /** The day whose digests this process knows to be made. */
  let done: { readonly date: string; readonly ids: Set<string> } = { date: '', ids: new Set() };

  /** True where it was not there. */
  async function make(id: string, pharmacyId: string, code: string, text: string, about?: string): Promise<boolean> {
    const resource: Resource = {
      resourceType: 'Communication',
      id,
      status: 'preparation',
      category: [{ coding: [{ system: NOTICE_CATEGORY, code }] }],
      ...(about !== undefined && { about: [{ reference: about }] }),
      recipient: [{ reference: `Organization/${pharmacyId}` }],
      sent: new Date(now()).toISOString(),
      payload: [{ contentString: text }],
    };
    const job: NewJob = { kind: PHARMACY_MAIL, key: pharmacyId, payload: { communication: id } };
    let isNew = false;
    await store.transaction(SERVICE, (tx) =>
      tx.write(
        [{ kind: 'update', operation: 'update', type: 'Communication', id, change: (current) => current ?? resource }],
        async ([result]) => {
          isNew = result?.outcome === 'created';
          if (isNew && hasMail) await tx.jobs.add([job]);
        },
      ),
    );
    return isNew;
  }

  return {
    async digest() {
      const at = now();
      const { date, minutes } = localTime(at, timeZone);
      if (minutes < DIGEST_MINUTES) return 0;
      if (done.date !== date) done = { date, ids: new Set() };
      let made = 0;
      for (const pharmacyId of await queue.pharmaciesWithOpen(at)) {
        if (done.ids.has(pharmacyId)) continue;
        const counts = await queue.counts(pharmacyId);
        const total = counts.controlled + counts.high_risk + counts.routine;
        if (total === 0) continue;
        const text = digestText((await pharmacies.find(pharmacyId))?.name ?? 'pharmacy', total, counts, link);
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

    async mailOf(id) {
      const communication = parseJson((await store.read(SERVICE, 'Communication', id)).content) as Node;
      if (communication['status'] !== 'preparation') return undefined;
      const listOf = (value: unknown): readonly Node[] => value as readonly Node[]; // as `make` stored it
      const pharmacyId = String(listOf(communication['recipient'])[0]?.['reference']).replace(/^Organization\//, '');
      const [coding] = listOf(listOf(communication['category'])[0]?.['coding']);
      const to = (await pharmacies.find(pharmacyId))?.email;
      const subject = SUBJECTS.get(String(coding?.['code']));
      const text = String(listOf(communication['payload'])[0]?.['contentString']);
      return to === undefined || subject === undefined ? undefined : { to, subject, text };
    },

    async sent(id) {
      const change = (current: Resource | undefined): Resource => ({
        ...(current ?? { resourceType: 'Communication' }),
        status: 'completed',
      });
      await store.transaction(SERVICE, (tx) =>
        tx.write([{ kind: 'update', operation: 'update', type: 'Communication', id, change }]),
      );
    },
  };
}

const digestText = (name: string, total: number, counts: QueueCounts, link: string): string =>
  [
    `Good morning, ${name}.`,
    `${total} ${total === 1 ? 'prescription waits' : 'prescriptions wait'} in your queue:`,
    `- controlled drugs: ${counts.controlled}\n- high risk: ${counts.high_risk}\n- routine: ${counts.routine}`,
    `Your queue: ${link}`,
  ]
    .join('\n\n')
    .concat('\n');
