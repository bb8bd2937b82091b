/** What a message to the Spine says, and what is stored of it. */
import { convertFromV3 } from '../../mapping/eps/inbound/convert-from-v3.ts';
import { isNode } from '../../mapping/eps/node.ts';
import { ID_SYSTEM } from '../../mapping/eps/systems.ts';
import type { FhirResource } from '../../mapping/transaction-bundle.ts';
import type { Caller } from '../../ports/caller.ts';
import type { MessageLog, StoredMessage } from '../../ports/message-log.ts';
import type { Criteria, Resource, StoreTransaction } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { idsOf } from './sender.ts';

export interface RecordServices {
  readonly criteriaOf: (type: string, query: string) => Criteria;
  readonly baseUrl: string;
}

/** As far as V3 tells it; of a claim nothing, which is stored as it was given. */
export const askedOf = (
  { id, raw, receivedAt }: Pick<StoredMessage, 'id' | 'raw' | 'receivedAt'>,
  baseUrl: string,
): FhirResource | undefined =>
  convertFromV3(raw, { now: receivedAt, newId: idsOf('eps-asked', id), form: 'full', baseUrl }).value;

export async function findMessage(
  messages: Pick<MessageLog, 'read'>,
  caller: Caller,
  id: string,
): Promise<StoredMessage | undefined> {
  try {
    return await messages.read(caller, id);
  } catch (error) {
    if (error instanceof FhirError && error.status === 404) return undefined;
    throw error;
  }
}

/** The resources of these versions as they are now; what was deleted is left out. */
export async function currentOf(
  tx: StoreTransaction,
  criteriaOf: RecordServices['criteriaOf'],
  versions: readonly string[],
): Promise<readonly Resource[]> {
  const paths = new Set(versions.map((version) => version.split('/').slice(0, 2).join('/')));
  if (paths.size === 0) return [];
  const criteria = [...paths].map((path) => {
    const [type = '', id = ''] = path.split('/');
    return criteriaOf(type, `_id=${id}`);
  });
  const found = (await tx.findCurrent(criteria, 1)).flat();
  return found.map(({ id, content }) => ({ ...(parseJson(content) as Resource), id })); // stored text was checked
}

const PATIENTS_MAX = 10;

/** Ids of the Patients whom the message is about: of what is stored of it, else by the NHS number that it says. */
export async function patientsOfMessage(
  { criteriaOf, baseUrl }: RecordServices,
  tx: StoreTransaction,
  message: StoredMessage,
): Promise<readonly string[]> {
  const ids = new Set<string>();
  for (const resource of await currentOf(tx, criteriaOf, message.resources))
    for (const name of ['subject', 'patient', 'for']) {
      const reference = isNode(resource[name]) ? resource[name]['reference'] : undefined;
      if (typeof reference === 'string' && reference.startsWith('Patient/'))
        ids.add(reference.slice('Patient/'.length));
    }
  if (ids.size > 0) return [...ids];
  return patientsNamed(criteriaOf, tx, nhsNumbersIn(askedOf(message, baseUrl)));
}

/** Ids of the Patients who have these NHS numbers here. */
export async function patientsNamed(
  criteriaOf: RecordServices['criteriaOf'],
  tx: StoreTransaction,
  numbers: readonly string[],
): Promise<readonly string[]> {
  if (numbers.length === 0) return [];
  const criteria = numbers.map((number) => criteriaOf('Patient', `identifier=${ID_SYSTEM.nhsNumber}|${number}`));
  return (await tx.findCurrent(criteria, PATIENTS_MAX)).flat().map(({ id }) => id);
}

/** Every NHS number in what is told or asked, each once. */
export const nhsNumbersIn = (value: unknown): readonly string[] => [...new Set(numbersWithin(value))];

function* numbersWithin(value: unknown): Generator<string> {
  if (Array.isArray(value)) for (const one of value) yield* numbersWithin(one);
  if (!isNode(value)) return;
  const number = value['system'] === ID_SYSTEM.nhsNumber ? value['value'] : undefined;
  if (typeof number === 'string' && /^\d{10}$/.test(number)) yield number;
  for (const member of Object.values(value)) yield* numbersWithin(member);
}
