/**
 * Orders as they were prescribed here, put together again from the record: a released prescription gets back from them
 * what V3 has no place for, where V3 says the same of both. `src/mapping/eps/inbound/restore.ts`
 */
import { isNode, type Node } from '../../mapping/eps/node.ts';
import { ID_SYSTEM } from '../../mapping/eps/systems.ts';
import type { FhirResource } from '../../mapping/transaction-bundle.ts';
import type { Criteria, Resource, StoreTransaction } from '../../ports/resource-store.ts';
import { identifierIn } from './effects.ts';
import { currentOf } from './message-record.ts';
import { entriesIn } from './released.ts';

/** By the UUID of the prescription, in lower case. */
export type SentOrders = ReadonlyMap<string, FhirResource>;

/** From items over roles to people, places and what these belong to. */
const ROUNDS = 3;
const HEADER = { resourceType: 'MessageHeader', eventCoding: { code: 'prescription-order' } };

export async function sentOrdersOf(
  tx: StoreTransaction,
  criteriaOf: (type: string, query: string) => Criteria,
  prescriptions: readonly Node[],
): Promise<SentOrders> {
  const numbers = prescriptions
    .flatMap(entriesIn)
    .filter(({ resourceType }) => resourceType === 'MedicationRequest')
    .map((item) => identifierIn(item, ID_SYSTEM.orderItem))
    .filter((number) => number !== undefined);
  if (numbers.length === 0) return new Map();
  const criteria = numbers.map((number) =>
    criteriaOf('MedicationRequest', `identifier=${ID_SYSTEM.orderItem}|${number}`),
  );
  const found = (await tx.findCurrent(criteria, 1)).flat();
  const items = await currentOf(
    tx,
    criteriaOf,
    found.map(({ type, id }) => `${type}/${id}`),
  );
  const known = new Map(items.map((item) => [pathOf(item), item]));
  let news: readonly Resource[] = items;
  for (let round = 0; round < ROUNDS && news.length > 0; round++) {
    const wanted = new Set(news.flatMap((one) => [...referencesIn(one)]).filter((path) => !known.has(path)));
    news = await currentOf(tx, criteriaOf, [...wanted]);
    for (const one of news) known.set(pathOf(one), one);
  }
  const others = [...known.values()].filter(({ resourceType }) => resourceType !== 'MedicationRequest');
  const byPrescription = Map.groupBy(items, (item) => prescriptionIdOf(item) ?? '');
  return new Map(
    [...byPrescription].map(([id, own]) => [
      id,
      {
        resourceType: 'Bundle',
        entry: [
          { resource: HEADER },
          ...[...own, ...others].map((resource) => ({ fullUrl: pathOf(resource), resource })),
        ],
      },
    ]),
  );
}

const pathOf = ({ resourceType, ...rest }: Resource): string => `${resourceType}/${String(rest['id'])}`;

/** What an order needs of those it refers to; not what came of it. */
const FOLLOWED =
  /^(?:PractitionerRole|Practitioner|Organization|HealthcareService|Location|Patient)\/[A-Za-z0-9.-]{1,64}$/;

function* referencesIn(value: unknown): Generator<string> {
  if (Array.isArray(value)) for (const one of value) yield* referencesIn(one);
  if (!isNode(value)) return;
  const { reference } = value;
  if (typeof reference === 'string' && FOLLOWED.test(reference)) yield reference;
  for (const member of Object.values(value)) yield* referencesIn(member);
}

/** The long id, which stands in an extension of the short one. */
function prescriptionIdOf({ groupIdentifier }: Resource): string | undefined {
  const extensions =
    isNode(groupIdentifier) && Array.isArray(groupIdentifier['extension']) ? groupIdentifier['extension'] : [];
  const values = extensions.filter(isNode).map(({ valueIdentifier }) => valueIdentifier);
  const found = values.filter(isNode).find(({ system }) => system === ID_SYSTEM.prescription);
  return typeof found?.['value'] === 'string' ? found['value'].toLowerCase() : undefined;
}
