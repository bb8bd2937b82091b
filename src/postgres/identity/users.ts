/** Accounts: added, found, changed. */
import { randomUUID } from 'node:crypto';
import type { FactorFor, NewPerson, PeopleStore, Person, PersonDetails } from '../../ports/people.ts';
import type { User } from '../../ports/users.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import { errorCode, translated, UNIQUE_VIOLATION } from '../database-error.ts';
import type { Statement } from '../pools.ts';
import { emailKey, PERSON_COLUMNS, PERSON_WIDTH, toPerson, toUser } from './people-row.ts';
import { type IdentityOptions, inTransaction, isId, type Send } from './people-statements.ts';
import { ACTING_COLUMNS, toActingPerson } from './upstream-acting.ts';

export type Accounts = Pick<
  PeopleStore,
  | 'add'
  | 'addFirstAdministrator'
  | 'hasAdministrator'
  | 'find'
  | 'findPerson'
  | 'findByEmail'
  | 'findByName'
  | 'list'
  | 'change'
  | 'setDisabled'
  | 'setPassword'
  | 'rehashPassword'
  | 'verifyEmail'
  | 'replaceRegistration'
>;

export function createAccounts({ writes, transactions, now }: IdentityOptions): Accounts {
  const query: Send = (statement) => translated(() => writes.query(statement));

  const findOne = async (statement: Statement): Promise<Person | undefined> => {
    const [row] = await query(statement);
    return row && toPerson(row);
  };
  const findPerson = async (id: string): Promise<Person | undefined> =>
    isId(id)
      ? findOne({
          name: 'person-find',
          text: `select ${PERSON_COLUMNS} from auth.person p where p.id = $1`,
          values: [id],
        })
      : undefined;
  const findActing = async (id: string, sessionId: string): Promise<Person | undefined> => {
    if (!isId(id)) return undefined;
    const [row] = await query({
      name: 'person-acting',
      text: `select ${PERSON_COLUMNS}, ${ACTING_COLUMNS} from auth.person p
left join auth.acting a on a.person_id = p.id and a.session_id = $2 where p.id = $1`,
      values: [id, sessionId],
    });
    return row && toActingPerson(toPerson(row), row.slice(PERSON_WIDTH), now());
  };
  /** Runs `update auth.person p set …` of one person. */
  const update = async (name: string, set: string, id: string, values: readonly unknown[]) => {
    if (!isId(id)) return undefined;
    const found = await findOne({
      name: `person-${name}`,
      text: `update auth.person p set ${set}, updated_at = $2 where p.id = $1 returning ${PERSON_COLUMNS}`,
      values: [id, new Date(now()), ...values],
    });
    return found && toUser(found);
  };

  return {
    findPerson,
    find: async (id, sessionId) => {
      const person =
        sessionId !== undefined && isId(sessionId) ? await findActing(id, sessionId) : await findPerson(id);
      return person && toUser(person);
    },
    findByEmail: (email) =>
      findOne({
        name: 'person-email',
        text: `select ${PERSON_COLUMNS} from auth.person p where p.email_key = $1`,
        values: [emailKey(email)],
      }),

    async findByName(nameOrEmail) {
      const rows = await query({
        name: 'person-name',
        // An address is not taken for somebody else's name.
        text: `select ${PERSON_COLUMNS} from auth.person p where p.email_key = $1 or p.name = $2
order by p.email_key = $1 desc limit 2`,
        values: [emailKey(nameOrEmail), nameOrEmail],
      });
      const [first, second] = rows.map(toPerson);
      const isAddress = first !== undefined && emailKey(first.email) === emailKey(nameOrEmail);
      return first && (isAddress || !second) ? toUser(first) : undefined;
    },

    add: (person, factor) =>
      uniquely(() => inTransaction(transactions, (send) => insertPerson(send, person, factor, now()))),

    addFirstAdministrator: (person, factor) =>
      uniquely(() =>
        inTransaction(transactions, async (send) => {
          // Nobody adds anybody between the look and the insert.
          await send({ text: 'lock table auth.person in share row exclusive mode', values: [] });
          const [found] = await send({ text: ADMINISTRATOR, values: [] });
          return found ? undefined : insertPerson(send, person, factor, now());
        }),
      ),

    hasAdministrator: async () => (await query({ text: ADMINISTRATOR, values: [] })).length > 0,

    async list(limit, after = '') {
      const rows = await query({
        name: 'person-list',
        text: `select ${PERSON_COLUMNS} from auth.person p where p.email_key > $2 order by p.email_key limit $1`,
        values: [limit + 1, after],
      });
      const people = rows.slice(0, limit).map(toPerson);
      const last = people.at(-1);
      return { people, ...(rows.length > limit && last && { next: emailKey(last.email) }) };
    },

    change: (id, changes) => uniquely(() => update('change', CHANGE, id, changedColumns(changes))),

    setDisabled: (id, isDisabled) =>
      update('disable', 'is_disabled = $3, security_version = security_version + 1', id, [isDisabled]),

    setPassword: (id, hash) =>
      update('password', 'password_hash = $3, security_version = security_version + 1', id, [hash]),

    async rehashPassword(id, from, to) {
      const rows = await query({
        name: 'person-rehash',
        text: 'update auth.person set password_hash = $3 where id = $1 and password_hash = $2 returning 1',
        values: [id, from, to],
      });
      return rows.length > 0;
    },

    async replaceRegistration(id, passwordHash, claim) {
      const found = await findOne({
        name: 'person-register-again',
        text: `update auth.person p set password_hash = $2, nhs_number_claim = $3, created_at = $4, updated_at = $4,
  security_version = security_version + 1
where p.id = $1 and p.email_verified_at is null and p.nhs_number_claim is not null returning ${PERSON_COLUMNS}`,
        values: [id, passwordHash, claim, new Date(now())],
      });
      return found && toUser(found);
    },

    async verifyEmail(id) {
      await update('verify', 'email_verified_at = coalesce(email_verified_at, $2)', id, []);
    },
  };
}

const ADMINISTRATOR = "select 1 from auth.person where 'ADMIN' = any (roles) and not is_disabled limit 1";

const CHANGE = `name = coalesce($3, name), email = coalesce($4, email), email_key = coalesce($5, email_key),
  roles = coalesce($6, roles), patient_ids = coalesce($7, patient_ids),
  practitioner_id = case when $8::text is null then practitioner_id else nullif($8, '') end,
  practitioner_role_ids = coalesce($9, practitioner_role_ids), organization_ids = coalesce($10, organization_ids),
  related_person_ids = coalesce($11, related_person_ids)`;

const changedColumns = (changes: Partial<PersonDetails>): unknown[] => [
  changes.name ?? null,
  changes.email ?? null,
  changes.email === undefined ? null : emailKey(changes.email),
  changes.roles ?? null,
  changes.patientIds ?? null,
  changes.practitionerId ?? null,
  changes.practitionerRoleIds ?? null,
  changes.organizationIds ?? null,
  changes.relatedPersonIds ?? null,
];

/** Adds a person within a transaction. */
export async function insertPerson(
  send: Send,
  person: NewPerson,
  factorFor: FactorFor | undefined,
  now: number,
): Promise<User> {
  const id = randomUUID();
  const at = new Date(now);
  const factor = factorFor?.(id);
  await send({
    text: `insert into auth.person (id, name, email, email_key, roles, patient_ids, practitioner_id,
  practitioner_role_ids, organization_ids, password_hash, email_verified_at, nhs_number_claim, totp, totp_step,
  created_at, updated_at, related_person_ids)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16)`,
    values: [
      id,
      person.name,
      person.email,
      emailKey(person.email),
      person.roles,
      person.patientIds,
      person.practitionerId ?? null,
      person.practitionerRoleIds,
      person.organizationIds,
      person.passwordHash ?? null,
      person.isEmailVerified ? at : null,
      person.nhsNumberClaim ?? null,
      factor?.totp ?? null,
      factor?.step ?? null,
      at,
      person.relatedPersonIds ?? [],
    ],
  });
  if (factor) await send(recoveryInsert(id, factor.recoveryHashes));
  const [row] = await send({ text: `select ${PERSON_COLUMNS} from auth.person p where p.id = $1`, values: [id] });
  if (!row) throw new Error('the person that was just added is not there');
  return toUser(toPerson(row));
}

export const recoveryInsert = (id: string, hashes: readonly Buffer[]): Statement => ({
  text: 'insert into auth.recovery_code (person_id, hash) select $1, unnest($2::bytea[])',
  values: [id, hashes],
});

async function uniquely<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (errorCode(error) !== UNIQUE_VIOLATION) throw error;
    throw new FhirError(409, [issue('duplicate', 'Another user has this e-mail address', 'email')]);
  }
}
