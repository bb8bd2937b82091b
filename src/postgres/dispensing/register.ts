/**
 * The controlled drugs register. Whoever adds a line waits for the one before it of the same product and pharmacy, so that
 * numbers have no gap and the balance is that of all lines. MISSION M10
 */
import type pg from 'pg';
import type { Cipher } from '../../ports/cipher.ts';
import type {
  ControlledRegister,
  DispensingTransaction,
  NewRegisterLine,
  RegisterIdentity,
  RegisterLine,
} from '../../ports/dispensing.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import { errorCode, translated } from '../database-error.ts';
import { inTransaction } from '../in-transaction.ts';
import type { Pipeline, Row, Statement } from '../pools.ts';
import { attemptStatement } from './attempts.ts';
import { NOT_CONFIRMED, useStatement } from './collection-codes.ts';

const CHECK_VIOLATION = '23514';
const BALANCES_MAX = 5000;
const COLUMNS =
  'pharmacy, product, number, at, type, quantity, balance, name, schedule, token, reason, by_name, by_id, identity';

type Send = (statement: Statement) => Promise<readonly Row[]>;

const contextOf = ({ pharmacyId, product }: Pick<NewRegisterLine, 'pharmacyId' | 'product'>): string =>
  `register ${pharmacyId} ${product}`;

/** The lock, then the line: what is sent later sees what was committed before the lock was had. */
async function addLine(send: Send, cipher: Cipher, line: NewRegisterLine): Promise<Row> {
  const { identity } = line;
  const sealed = identity && cipher.seal(Buffer.from(JSON.stringify(identity)), contextOf(line));
  const locked = send({
    name: 'register-lock',
    text: 'select pg_advisory_xact_lock(hashtextextended($1, 28))',
    values: [contextOf(line)],
  });
  const added = send({
    name: 'register-add',
    text: `insert into mortar.controlled_register (${COLUMNS})
select $1, $2, coalesce(last.number, 0) + 1, $3, $4, $5::numeric, coalesce(last.balance, 0) + $5::numeric,
  $6, $7, $8, $9, $10, $11, $12
from (select 1) one left join lateral (
  select number, balance from mortar.controlled_register where pharmacy = $1 and product = $2 order by number desc limit 1
) last on true
returning ${COLUMNS}`,
    values: [
      line.pharmacyId,
      line.product,
      new Date(line.at),
      line.type,
      line.change,
      line.name,
      line.schedule ?? null,
      line.tokenId ?? null,
      line.reason ?? null,
      line.by.name,
      line.by.id,
      sealed ?? null,
    ],
  });
  try {
    const [, rows] = await Promise.all([locked, added]);
    return rows[0] as Row; // one was added, or it has thrown
  } catch (error) {
    await Promise.allSettled([locked, added]);
    throw errorCode(error) === CHECK_VIOLATION ? notInStock() : error;
  }
}

const notInStock = (): FhirError =>
  ruleConflict(
    'register-balance',
    'The controlled drugs register does not hold so much: enter what came in (stock-in) or a correction first',
  );

const ruleConflict = (code: string, text: string): FhirError =>
  new FhirError(409, [{ ...issue('business-rule', text), details: { coding: [{ code }] } }]);

/** On the connection of a store's transaction. */
export const createDispensingTransaction = (cipher: Cipher, send: Send): DispensingTransaction => ({
  attempts: async (attempts) => void (await send(attemptStatement(attempts))),
  register: async (line) => void (await addLine(send, cipher, line)),
  async useCollectionCode(tokenId, pharmacyId, at) {
    try {
      await send(useStatement(tokenId, pharmacyId, at));
    } catch (error) {
      throw errorCode(error) === NOT_CONFIRMED
        ? ruleConflict('code-missing', 'No collection code is confirmed')
        : error;
    }
  },
});

export function createControlledRegister(
  { reads, transactions }: { readonly reads: Pipeline; readonly transactions: pg.Pool },
  cipher: Cipher,
): ControlledRegister {
  return {
    add: (line) =>
      translated(async () => toLine(await inTransaction(transactions, (send) => addLine(send, cipher, line)), cipher)),

    list: ({ pharmacyId, product, from, until, limit }, isOldestFirst = false) =>
      translated(async () => {
        const direction = isOldestFirst ? 'asc' : 'desc';
        const rows = await reads.query({
          // controlled_register_pkey, controlled_register_time
          text: `select ${COLUMNS} from mortar.controlled_register
where pharmacy = $1 and ($2::text is null or product = $2) and at >= $3 and at < $4
order by at ${direction}, product, number ${direction} limit $5::int`,
          values: [
            pharmacyId,
            product ?? null,
            from === undefined ? '-infinity' : new Date(from),
            until === undefined ? 'infinity' : new Date(until),
            limit,
          ],
        });
        return rows.map((row) => toLine(row, cipher));
      }),

    balances: (pharmacyId) =>
      translated(async () => {
        const rows = await reads.query({
          text: `select distinct on (product) product, name, balance from mortar.controlled_register
where pharmacy = $1 order by product, number desc limit ${BALANCES_MAX}`,
          values: [pharmacyId],
        });
        return rows.map(([product, name, balance]) => ({
          product: product as string,
          name: name as string,
          balance: Number(balance),
        }));
      }),
  };
}

function toLine(row: Row, cipher: Cipher): RegisterLine {
  const [
    pharmacyId,
    product,
    number,
    at,
    type,
    change,
    balance,
    name,
    schedule,
    token,
    reason,
    byName,
    byId,
    identity,
  ] = row as [
    string,
    string,
    string,
    Date,
    RegisterLine['type'],
    string,
    string,
    string,
    ...(string | Buffer | null)[],
  ];
  const key = { pharmacyId, product };
  return {
    ...key,
    number: Number(number),
    at: at.getTime(),
    type,
    change: Number(change),
    balance: Number(balance),
    name,
    by: { name: String(byName), id: String(byId) },
    ...(typeof schedule === 'string' && { schedule }),
    ...(typeof token === 'string' && { tokenId: token }),
    ...(typeof reason === 'string' && { reason }),
    ...(Buffer.isBuffer(identity) && {
      identity: JSON.parse(cipher.open(identity, contextOf(key)).toString()) as RegisterIdentity, // as it was sealed
    }),
  };
}
