/**
 * Corrections: a patient says what is wrong, somebody answers with the version that puts it right, or why it stays, which
 * is then noted beside the record. SECURITY DP-05, AZ-08; UK GDPR article 16
 */
import { randomUUID } from 'node:crypto';
import type { Caller, CallerUser } from '../ports/caller.ts';
import type { Rectification, RectificationBook } from '../ports/subject-rights.ts';
import { badValue, conflict, FhirError, issue, notFound } from '../standards/fhir/outcome.ts';
import { isId } from '../standards/fhir/reference.ts';
import { iso } from './instant.ts';
import { type PersonAnswer, type PersonCall, type PersonRoute, readWords } from './person-api.ts';

export interface RectificationOptions {
  readonly book: RectificationBook;
  /** The current version of a resource of the patient's record; undefined when there is none such. */
  readonly versionOf: (patientId: string, type: string, id: string) => Promise<number | undefined>;
  /** Whether the caller may read it. */
  readonly mayRead: (caller: Caller, type: string, id: string) => Promise<boolean>;
  /** Notes beside the record what the patient said and why it stays as it is. */
  readonly note: (entry: Rectification) => Promise<void>;
  readonly now: () => number;
}

const PATH = '/api/v2/rectifications';
const ASK = 'rectifications:ask';
const ANSWER = 'rectifications:answer';
const OPEN_MAX = 20;
const LIST_MAX = 200;

export function createRectificationRoutes(options: RectificationOptions): readonly PersonRoute[] {
  const { book, versionOf, mayRead, note, now } = options;

  async function ask({ user, body }: PersonCall): Promise<PersonAnswer> {
    const { type, id } = readReference(body);
    const patientId = readPatient(body, user);
    const text = readWords(body, 'text', 5);
    const version = await versionOf(patientId, type, id);
    if (version === undefined) throw notFound(`${type}/${id}`);
    const entry = {
      id: randomUUID(),
      patientId,
      askedBy: user.id,
      type,
      resourceId: id,
      version,
      text,
      askedAt: now(),
    };
    if (!(await book.ask(entry, OPEN_MAX)))
      throw new FhirError(429, [issue('throttled', `${OPEN_MAX} requests wait for an answer: wait for those first`)]);
    return {
      status: 201,
      json: shown({ ...entry, state: 'open' }),
      headers: { Location: `${PATH}/${entry.id}` },
      patientId,
      detail: { rectification: entry.id },
    };
  }

  /** Administrators see all of them, clinicians those about what they may read. */
  async function maySee({ caller, user, may }: PersonCall, entry: Rectification): Promise<boolean> {
    if (may(ASK) && user.patientIds.includes(entry.patientId)) return true;
    if (!may(ANSWER)) return false;
    return user.roles.includes('ADMIN') || mayRead(caller, entry.type, entry.resourceId);
  }

  async function find(call: PersonCall): Promise<Rectification> {
    const entry = await book.find(call.path['id'] ?? '');
    if (entry && (await maySee(call, entry))) return entry;
    throw notFound('A request with that id');
  }

  async function list(call: PersonCall): Promise<PersonAnswer> {
    const own = call.may(ASK) ? await book.listOf(call.user.patientIds, LIST_MAX) : [];
    const seen = new Map(own.map((entry) => [entry.id, entry]));
    if (call.may(ANSWER))
      for (const entry of await book.listOpen(LIST_MAX)) if (await maySee(call, entry)) seen.set(entry.id, entry);
    return { status: 200, json: { rectifications: [...seen.values()].map(shown) } };
  }

  async function show(call: PersonCall): Promise<PersonAnswer> {
    const entry = await find(call);
    return { status: 200, json: shown(entry), patientId: entry.patientId, detail: { rectification: entry.id } };
  }

  async function answer(call: PersonCall): Promise<PersonAnswer> {
    const { user, body } = call;
    const entry = await find(call);
    const who = { by: user.id, at: now() };
    const given = body['accepted'] === true ? await readAccepted(entry, body) : readRefused(body);
    if (entry.state !== 'open' || entry.askedBy === user.id || !(await book.answer(entry.id, { ...who, ...given })))
      throw conflict('It is answered already, or it is your own: somebody else answers');
    const state = given.newVersion === undefined ? 'refused' : 'accepted';
    const { text, newVersion } = given;
    const answered: Rectification = {
      ...entry,
      state,
      answer: { ...who, ...(text !== undefined && { text }), ...(newVersion !== undefined && { newVersion }) },
    };
    if (state === 'refused') await note(answered);
    return {
      status: 200,
      json: shown(answered),
      patientId: entry.patientId,
      detail: { rectification: entry.id, answer: state },
    };
  }

  async function readAccepted({ patientId, type, resourceId, version }: Rectification, body: PersonCall['body']) {
    const given = body['version'];
    const current = await versionOf(patientId, type, resourceId);
    if (
      typeof given !== 'number' ||
      !Number.isInteger(given) ||
      given <= version ||
      current === undefined ||
      given > current
    )
      throw badValue(
        `version is that of ${type}/${resourceId} which puts it right: a later one than ${version}`,
        'version',
      );
    return { newVersion: given, ...(body['text'] !== undefined && { text: readWords(body, 'text', 1) }) };
  }

  const both = [ASK, ANSWER];
  return [
    {
      method: 'POST',
      path: PATH,
      rights: [ASK],
      stepUp: false,
      kind: 'operation',
      told: 'rectification-ask',
      handle: ask,
    },
    {
      method: 'GET',
      path: PATH,
      rights: both,
      stepUp: false,
      kind: 'operation',
      told: 'rectification-list',
      handle: list,
    },
    {
      method: 'GET',
      path: `${PATH}/:id`,
      rights: both,
      stepUp: false,
      kind: 'operation',
      told: 'rectification-show',
      handle: show,
    },
    {
      method: 'POST',
      path: `${PATH}/:id/answer`,
      rights: [ANSWER],
      stepUp: true,
      kind: 'operation',
      told: 'rectification-answer',
      handle: answer,
    },
  ];
}

function readRefused(body: PersonCall['body']): { readonly text: string; readonly newVersion?: undefined } {
  if (body['accepted'] !== false) throw badValue('accepted is true or false', 'accepted');
  return { text: readWords(body, 'reason') };
}

function readReference(body: PersonCall['body']): { readonly type: string; readonly id: string } {
  const given = body['reference'];
  const [type = '', id = '', ...more] = typeof given === 'string' ? given.split('/') : [];
  if (!/^[A-Z][A-Za-z]{1,63}$/.test(type) || !isId(id) || more.length > 0)
    throw badValue('reference names a resource of the record: Condition/1', 'reference');
  return { type, id };
}

/** The patient of the body, or the only one that the person is. */
function readPatient(body: PersonCall['body'], { patientIds }: CallerUser): string {
  const [only, ...more] = patientIds;
  const given = body['patient'];
  const id = typeof given === 'string' ? given.replace(/^Patient\//, '') : undefined;
  if (id === undefined && only !== undefined && more.length === 0) return only;
  if (id === undefined || !patientIds.includes(id)) throw badValue('patient is one whose record is yours', 'patient');
  return id;
}

const shown = ({ id, patientId, type, resourceId, version, text, state, askedAt, answer }: Rectification): object => ({
  id,
  patient: `Patient/${patientId}`,
  reference: `${type}/${resourceId}`,
  version,
  text,
  state,
  asked_at: iso(askedAt),
  ...(answer && {
    answered_at: iso(answer.at),
    ...(answer.text !== undefined && { answer: answer.text }),
    ...(answer.newVersion !== undefined && {
      corrected_by: `${type}/${resourceId}/_history/${answer.newVersion}`,
    }),
  }),
});
