/** `/api/v2/admin/users`: administrators and the operator's commands manage who signs in. SECURITY LG-11, LG-12, AZ-07 */
import express, { type Request, type Response, Router } from 'express';
import { PERSON_ROLES } from '../../policy/rights.ts';
import type { AuditLog } from '../../ports/audit.ts';
import type { Authenticate } from '../../ports/authenticate.ts';
import type { Caller, Role } from '../../ports/caller.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { PeopleStore, Person, PersonDetails } from '../../ports/people.ts';
import type { Policy } from '../../ports/policy.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import type { Account } from './account.ts';
import type { Enrolment } from './enrolment.ts';
import type { Hashing } from './hashing.ts';
import { BODY_MAX } from './json-doors.ts';
import { findPasswordFault } from './passwords.ts';
import {
  answering,
  email,
  type Field,
  optional,
  Problem,
  problemErrors,
  readFields,
  secretText,
  text,
} from './problem.ts';
import { type PeopleSessions, requireRecentAuth } from './sessions.ts';
import { hasMfa } from './sign-in.ts';
import type { Tell } from './tell.ts';

export interface AdminApiOptions {
  readonly people: PeopleStore;
  readonly account: Account;
  readonly enrolment: Enrolment;
  readonly hashing: Hashing;
  readonly sessions: PeopleSessions;
  readonly authenticate: Authenticate;
  readonly policy: Pick<Policy, 'allows'>;
  readonly audit: AuditLog;
  /** Tells somebody what was done to their account. */
  readonly tellPerson: Tell;
  /** How clients reach us, without a trailing slash. */
  readonly url: string;
  readonly now: Clock;
  readonly log: Log;
}

const USERS_PATH = '/api/v2/admin/users';

const RIGHT = 'admin:users';
const COUNT_DEFAULT = 50;
const COUNT_MAX = 500;
const ID = /^[A-Za-z0-9.-]{1,64}$/;

const ids = (about: string): Field<readonly string[]> => ({
  about: `a list of at most 100 ids of ${about}`,
  parse: (value) =>
    Array.isArray(value) && value.length <= 100 && value.every((one) => typeof one === 'string' && ID.test(one))
      ? (value as string[]) // each was looked at
      : undefined,
});
const roles: Field<readonly Role[]> = {
  about: `a list of roles: ${PERSON_ROLES.join(', ')}`,
  parse: (value) => {
    if (!Array.isArray(value) || value.length === 0) return undefined;
    const found = PERSON_ROLES.filter((role) => value.includes(role));
    return found.length === value.length ? found : undefined;
  },
};
const DETAILS = {
  name: text('a name', 200),
  email,
  roles,
  patient_ids: optional(ids('Patients')),
  practitioner_id: optional({
    about: 'an id of a Practitioner, or "" for none',
    parse: (value: unknown) => (typeof value === 'string' && (value === '' || ID.test(value)) ? value : undefined),
  }),
  practitioner_role_ids: optional(ids('PractitionerRoles')),
  organization_ids: optional(ids('Organizations')),
  related_person_ids: optional(ids('RelatedPersons')),
};
const NEW_USER = {
  ...DETAILS,
  password: optional(secretText('a password')),
  mfa: optional({ about: 'totp', parse: (value: unknown) => (value === 'totp' ? value : undefined) }),
};
/** What a person may do follows from these. */
const RIGHTS = [
  'roles',
  'patientIds',
  'practitionerId',
  'practitionerRoleIds',
  'organizationIds',
  'relatedPersonIds',
] as const satisfies readonly (keyof PersonDetails)[];
const CHANGES = { ...DETAILS, name: optional(DETAILS.name), email: optional(email), roles: optional(roles) };

export function createAdminApi(options: AdminApiOptions): Router {
  const { people, account, enrolment, hashing, sessions, authenticate, policy, audit, tellPerson, url, now, log } =
    options;
  const router = Router();
  const json = express.json({ limit: BODY_MAX, strict: true, type: 'application/json' });

  type Handle = (req: Request, res: Response, caller: Caller) => Promise<void>;

  /** Who may; changes by a person also need a fresh proof. */
  const allowed = (handle: Handle, isChange: boolean) =>
    answering(log, async (req, res) => {
      const caller = await authenticate(req, correlationIdOf(req));
      const decision = policy.allows(caller, RIGHT);
      if (!decision.allowed) {
        await audit.record({ kind: 'user', outcome: 4, rule: decision.rule, caller });
        throw new Problem(403, 'forbidden', 'You may not manage users');
      }
      if (isChange && caller.user) requireRecentAuth(caller.user, now());
      await handle(req, res, caller);
    });
  const read = (path: string, handle: Handle): void => void router.get(path, allowed(handle, false));
  const change = (method: 'post' | 'patch' | 'delete', path: string, handle: Handle): void =>
    void router[method](
      path,
      allowed(async (req, res, caller) => {
        await parseBody(req, res);
        await handle(req, res, caller);
      }, true),
    );
  /** Read only once the caller is known. */
  const parseBody = (req: Request, res: Response): Promise<void> =>
    new Promise((resolve, reject) => {
      json(req, res, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
    });

  const tell = (caller: Caller, rule: string, id: string): Promise<void> =>
    audit.record({ kind: 'user', outcome: 0, rule, caller, detail: { account: id } });

  const readPerson = async (req: Request): Promise<Person> => {
    const person = await people.findPerson(String(req.params['id']));
    if (!person) throw new Problem(404, 'not_found', 'There is no such user');
    return person;
  };
  const notOneself = (caller: Caller, person: Person, what: string): void => {
    if (caller.user?.id === person.id) throw new Problem(403, 'forbidden', `Nobody ${what}: ask another administrator`);
  };

  read(USERS_PATH, async (req, res) => {
    const { _count: count = String(COUNT_DEFAULT), after } = req.query;
    if (typeof count !== 'string' || !/^[1-9]\d{0,3}$/.test(count) || Number(count) > COUNT_MAX)
      throw new Problem(400, 'invalid_request', `_count is a whole number from 1 to ${COUNT_MAX}`);
    if (after !== undefined && (typeof after !== 'string' || after.length > 254 || after.includes('\0')))
      throw new Problem(400, 'invalid_request', 'after is the value of next of the page before');
    const { people: found, next } = await people.list(Number(count), after);
    res.json({ users: found.map(shown), ...(next !== undefined && { next }) });
  });

  read(`${USERS_PATH}/:id`, async (req, res) => {
    const person = await readPerson(req);
    const own = await sessions.list(person.id);
    res.json({
      ...shown(person),
      sessions: own.map(({ id, createdAt, seenAt }) => ({ id, created_at: iso(createdAt), seen_at: iso(seenAt) })),
    });
  });

  change('post', USERS_PATH, async (req, res, caller) => {
    const { password, mfa, ...given } = readFields(req, NEW_USER);
    const details = { patientIds: [], practitionerRoleIds: [], organizationIds: [], ...toDetails(given) };
    if (caller.kind === 'user' && (password !== undefined || mfa !== undefined))
      throw new Problem(
        403,
        'forbidden',
        'Administrators start accounts and never choose passwords or second factors: hand over the reset link',
      );
    const fault = password === undefined ? undefined : findPasswordFault(password, details);
    if (fault !== undefined) throw new Problem(400, 'weak_password', fault);
    const made = mfa === undefined ? undefined : enrolment.make();
    const user = await people.add(
      {
        ...details,
        isEmailVerified: password !== undefined,
        ...(password !== undefined && { passwordHash: await hashing.hash(password) }),
      },
      made?.factor,
    );
    await tell(caller, 'added', user.id);
    const link = password === undefined ? await account.makeResetLink(user) : undefined;
    res.status(201).set('Location', `${url}${USERS_PATH}/${user.id}`);
    res.json({
      id: user.id,
      name: user.name,
      email: user.email,
      roles: user.roles,
      ...(made && { totpSecret: made.totpSecret, recoveryCodes: made.recoveryCodes }),
      ...(link && { reset_link: link.link, reset_expires_at: iso(link.expiresAt) }),
    });
  });

  change('patch', `${USERS_PATH}/:id`, async (req, res, caller) => {
    const person = await readPerson(req);
    const changes = toDetails(readFields(req, CHANGES));
    // Whoever would have a right is not who gives it. SECURITY AZ-08
    if (RIGHTS.some((right) => changes[right] !== undefined)) notOneself(caller, person, 'changes their own rights');
    const gains = (given: readonly string[] | undefined, has: readonly string[]): boolean =>
      given?.some((id) => !has.includes(id)) ?? false;
    const gainsRecords =
      gains(changes.patientIds, person.patientIds) || gains(changes.relatedPersonIds, person.relatedPersonIds ?? []);
    if (gainsRecords && !person.isEmailVerified)
      throw new Problem(409, 'email_not_verified', 'This person has not proven their e-mail address yet');
    const user = await people.change(person.id, changes);
    if (!user) throw new Problem(404, 'not_found', 'There is no such user');
    await tell(caller, `changed-${Object.keys(changes).sort().join('-') || 'nothing'}`, user.id);
    res.json(shown(await readPerson(req)));
  });

  for (const isDisabled of [true, false])
    change('post', `${USERS_PATH}/:id/${isDisabled ? 'disable' : 'enable'}`, async (req, res, caller) => {
      const person = await readPerson(req);
      notOneself(caller, person, 'disables themselves');
      await people.setDisabled(person.id, isDisabled);
      await sessions.endAll(person.id);
      await tell(caller, isDisabled ? 'disabled' : 'enabled', person.id);
      res.json(shown(await readPerson(req)));
    });

  change('post', `${USERS_PATH}/:id/reset-link`, async (req, res, caller) => {
    const person = await readPerson(req);
    const { link, expiresAt } = await account.makeResetLink(person);
    await tell(caller, 'reset-link', person.id);
    res.status(201).json({ link, expires_at: iso(expiresAt) });
  });

  // For who has lost it. They are told, and make another when they sign in next, before they can do anything.
  change('delete', `${USERS_PATH}/:id/second-factor`, async (req, res, caller) => {
    const person = await readPerson(req);
    notOneself(caller, person, 'removes their own second factor here');
    if (!hasMfa(person)) throw new Problem(409, 'no_second_factor', 'This person has no second factor');
    await people.removeFactors(person.id);
    await sessions.endAll(person.id);
    await audit.record({ kind: 'mfa', outcome: 0, rule: 'factor-removed', caller, detail: { account: person.id } });
    tellPerson({ kind: 'second-factor-removed', to: person.email, name: person.name });
    res.json(shown(await readPerson(req)));
  });

  change('delete', `${USERS_PATH}/:id/sessions`, async (req, res, caller) => {
    const person = await readPerson(req);
    const ended = await sessions.endAll(person.id);
    await tell(caller, 'sessions-ended', person.id);
    res.json({ ended });
  });

  router.use(USERS_PATH, problemErrors(log));
  return router;
}

interface GivenDetails {
  readonly name?: string | undefined;
  readonly email?: string | undefined;
  readonly roles?: readonly Role[] | undefined;
  readonly patient_ids?: readonly string[] | undefined;
  readonly practitioner_id?: string | undefined;
  readonly practitioner_role_ids?: readonly string[] | undefined;
  readonly organization_ids?: readonly string[] | undefined;
  readonly related_person_ids?: readonly string[] | undefined;
}

function toDetails<G extends GivenDetails>(
  given: G,
): Partial<PersonDetails> & Pick<G & PersonDetails, keyof G & keyof PersonDetails> {
  const { patient_ids, practitioner_id, practitioner_role_ids, organization_ids, related_person_ids, ...rest } = given;
  const details: Record<string, unknown> = { ...rest };
  if (patient_ids) details['patientIds'] = patient_ids;
  if (practitioner_id !== undefined) details['practitionerId'] = practitioner_id;
  if (practitioner_role_ids) details['practitionerRoleIds'] = practitioner_role_ids;
  if (organization_ids) details['organizationIds'] = organization_ids;
  if (related_person_ids) details['relatedPersonIds'] = related_person_ids;
  return details as ReturnType<typeof toDetails<G>>; // the names were changed one by one
}

const shown = (person: Person): object => ({
  id: person.id,
  name: person.name,
  email: person.email,
  roles: person.roles,
  disabled: person.isDisabled,
  email_verified: person.isEmailVerified,
  mfa_enabled: hasMfa(person),
  recovery_codes_left: person.recoveryCodeCount,
  patient_ids: person.patientIds,
  ...(person.practitionerId !== undefined && { practitioner_id: person.practitionerId }),
  practitioner_role_ids: person.practitionerRoleIds,
  organization_ids: person.organizationIds,
  related_person_ids: person.relatedPersonIds ?? [],
});

const iso = (ms: number): string => new Date(ms).toISOString();
