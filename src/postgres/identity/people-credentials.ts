/** What people prove themselves with besides the password: TOTP, recovery codes, security keys, trusted browsers. */
import type { PeopleStore, SecurityKey } from '../../ports/people.ts';
import type { User } from '../../ports/users.ts';
import { translated } from '../database-error.ts';
import type { Row } from '../pools.ts';
import { PERSON_COLUMNS, toPerson, toUser } from './people-row.ts';
import { type IdentityOptions, inTransaction, isId, type Send, toMs } from './people-statements.ts';
import { recoveryInsert } from './users.ts';

export type Credentials = Pick<
  PeopleStore,
  | 'setFactor'
  | 'useTotpStep'
  | 'setRecoveryCodes'
  | 'useRecoveryCode'
  | 'addSecurityKey'
  | 'securityKeys'
  | 'useSecurityKey'
  | 'removeSecurityKey'
  | 'removeFactors'
  | 'trustDevice'
  | 'findDevice'
>;

const DEVICES_MAX = 10;

export function createCredentials({ writes, transactions, now }: IdentityOptions): Credentials {
  const query: Send = (statement) => translated(() => writes.query(statement));

  return {
    setFactor: (id, { totp, recoveryHashes, step }) =>
      inTransaction(transactions, async (send) => {
        const user = await raiseVersion(send, id, 'totp = $3, totp_step = $4, must_enrol = false', new Date(now()), [
          totp,
          step ?? null,
        ]);
        if (!user) return undefined;
        await replaceRecoveryCodes(send, id, recoveryHashes);
        return user;
      }),

    async useTotpStep(id, step) {
      const rows = await query({
        name: 'person-totp-step',
        text: `update auth.person set totp_step = $2
where id = $1 and (totp_step is null or totp_step < $2) returning 1`,
        values: [id, step],
      });
      return rows.length > 0;
    },

    setRecoveryCodes: (id, hashes) => inTransaction(transactions, (send) => replaceRecoveryCodes(send, id, hashes)),

    useRecoveryCode: (id, hash) =>
      inTransaction(transactions, async (send) => {
        const [used] = await send({
          text: 'delete from auth.recovery_code where person_id = $1 and hash = $2 returning 1',
          values: [id, hash],
        });
        if (!used) return undefined;
        const [left] = await send({
          text: 'select count(*)::int from auth.recovery_code where person_id = $1',
          values: [id],
        });
        return left?.[0] as number;
      }),

    addSecurityKey: (personId, key) =>
      inTransaction(transactions, async (send) => {
        const user = await raiseVersion(send, personId, 'must_enrol = false', new Date(now()), []);
        if (!user) return undefined;
        const [added] = await send({
          text: `insert into auth.security_key
  (id, person_id, name, public_key, counter, is_backed_up, device_type, transports, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing returning 1`,
          values: [
            key.id,
            personId,
            key.name,
            key.publicKey,
            key.counter,
            key.isBackedUp,
            key.deviceType,
            key.transports,
            new Date(now()),
          ],
        });
        if (!added) throw new Error('a security key was registered twice');
        return user;
      }),

    async securityKeys(personId) {
      const rows = await query({
        name: 'security-key-list',
        text: `select id, name, public_key, counter::float8, is_backed_up, device_type, transports, created_at, used_at
from auth.security_key where person_id = $1 order by created_at, id`,
        values: [personId],
      });
      return rows.map(toSecurityKey);
    },

    async useSecurityKey(key, counter, isBackedUp) {
      const rows = await query({
        name: 'security-key-use',
        // A key that does not count says 0 each time.
        text: `update auth.security_key set counter = $2, is_backed_up = $3, used_at = $4
where id = $1 and (counter < $2 or (counter = 0 and $2 = 0)) returning 1`,
        values: [key.id, counter, isBackedUp, new Date(now())],
      });
      return rows.length > 0;
    },

    removeSecurityKey: (personId, id) =>
      inTransaction(transactions, async (send) => {
        const [removed] = await send({
          text: 'delete from auth.security_key where person_id = $1 and id = $2 returning 1',
          values: [personId, id],
        });
        return removed && raiseVersion(send, personId, 'id = p.id', new Date(now()), []);
      }),

    removeFactors: (id) =>
      inTransaction(transactions, async (send) => {
        const set = 'totp = null, totp_step = null, must_enrol = true';
        const user = await raiseVersion(send, id, set, new Date(now()), []);
        if (!user) return undefined;
        for (const table of ['recovery_code', 'security_key', 'trusted_device'])
          await send({ text: `delete from auth.${table} where person_id = $1`, values: [id] });
        return user;
      }),

    trustDevice: async (personId, hash, expiresAt) =>
      void (await query({
        name: 'device-add',
        text: `with kept as (
  select hash from auth.trusted_device where person_id = $2 order by expires_at desc limit $4
), gone as (
  delete from auth.trusted_device where person_id = $2 and hash not in (select hash from kept)
)
insert into auth.trusted_device (hash, person_id, expires_at) values ($1, $2, $3)`,
        values: [hash, personId, new Date(expiresAt), DEVICES_MAX - 1],
      })),

    async findDevice(hash) {
      const [row] = await query({
        name: 'device-find',
        text: 'select person_id from auth.trusted_device where hash = $1 and expires_at > $2',
        values: [hash, new Date(now())],
      });
      return row?.[0] as string | undefined;
    },
  };
}

async function raiseVersion(
  send: Send,
  id: string,
  set: string,
  at: Date,
  values: readonly unknown[],
): Promise<User | undefined> {
  if (!isId(id)) return undefined;
  const [row] = await send({
    text: `update auth.person p set ${set}, security_version = security_version + 1, updated_at = $2
where p.id = $1 returning ${PERSON_COLUMNS}`,
    values: [id, at, ...values],
  });
  return row && toUser(toPerson(row));
}

async function replaceRecoveryCodes(send: Send, id: string, hashes: readonly Buffer[]): Promise<void> {
  // Two that replace them at once must not leave the codes of both.
  await send({ text: 'select 1 from auth.person where id = $1 for update', values: [id] });
  await send({ text: 'delete from auth.recovery_code where person_id = $1', values: [id] });
  await send(recoveryInsert(id, hashes));
}

function toSecurityKey(row: Row): SecurityKey {
  const [id, name, publicKey, counter, isBackedUp, deviceType, transports, createdAt, usedAt] = row as [
    string,
    string,
    Buffer,
    number,
    boolean,
    string,
    string[],
    Date,
    Date | null,
  ];
  return {
    id,
    name,
    publicKey,
    counter,
    isBackedUp,
    deviceType,
    transports,
    createdAt: toMs(createdAt),
    ...(usedAt !== null && { usedAt: toMs(usedAt) }),
  };
}
