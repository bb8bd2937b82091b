/**
 * Copies of a record: a patient asks for their own, the records office for a patient; what is made in the background is
 * fetched here for seven days. SECURITY DP-03, LG-12; UK GDPR articles 15 and 20
 */
import { randomUUID } from 'node:crypto';
import type { CallerUser } from '../ports/caller.ts';
import type { CopyBook, CopyForm, SubjectCopy } from '../ports/subject-access.ts';
import { badValue, FhirError, issue, notFound } from '../standards/fhir/outcome.ts';
import { isId } from '../standards/fhir/reference.ts';
import { iso } from './instant.ts';
import type { PersonAnswer, PersonCall, PersonRoute } from './person-api.ts';
import { readWords } from './person-api.ts';

export interface SubjectAccessOptions {
  readonly book: CopyBook;
  /** Has the copy made in the background. */
  readonly begin: (copyId: string) => Promise<void>;
  readonly patientExists: (id: string) => Promise<boolean>;
  readonly now: () => number;
}

const PATH = '/api/v2/subject-access';
const OWN = 'subject-access:own';
const OTHERS = 'subject-access:others';
const DAY_MS = 24 * 60 * 60 * 1000;
const PER_DAY_MAX = 3;
const LIST_MAX = 100;

const FORMS: ReadonlyMap<string, { readonly form: CopyForm; readonly mediaType: string; readonly name: string }> =
  new Map([
    ['bundle', { form: 'bundle', mediaType: 'application/fhir+json; charset=utf-8', name: 'record.json' }],
    ['html', { form: 'html', mediaType: 'text/html; charset=utf-8', name: 'record.html' }],
  ]);

export function createSubjectAccessRoutes(options: SubjectAccessOptions): readonly PersonRoute[] {
  const { book, begin, patientExists, now } = options;

  async function ask({ user, body, may }: PersonCall): Promise<PersonAnswer> {
    const patientId = readPatient(body, user);
    const isOwn = may(OWN) && user.patientIds.includes(patientId);
    if (!isOwn && !may(OTHERS)) throw notFound(`Patient/${patientId}`);
    const reason = isOwn ? undefined : readWords(body, 'reason');
    if (!isOwn && !(await patientExists(patientId))) throw notFound(`Patient/${patientId}`);
    const copy = {
      id: randomUUID(),
      patientId,
      askedBy: user.id,
      ...(reason !== undefined && { reason }),
      askedAt: now(),
    };
    if (!(await book.ask(copy, { max: PER_DAY_MAX, since: now() - DAY_MS }))) throw tooMany();
    await begin(copy.id);
    const counts = { resources: 0, messages: 0, visits: 0 };
    return {
      status: 202,
      json: shown({ ...copy, state: 'waiting', counts }),
      headers: { Location: `${PATH}/${copy.id}` },
      patientId,
      detail: { copy: copy.id, by: isOwn ? 'patient' : 'records-office' },
    };
  }

  /** One that the person may see; for everybody else there is none. */
  async function find({ user, path, may }: PersonCall): Promise<SubjectCopy> {
    const copy = await book.find(path['id'] ?? '');
    const isTheirs = copy !== undefined && may(OWN) && user.patientIds.includes(copy.patientId);
    if (copy && (isTheirs || (may(OTHERS) && copy.askedBy === user.id))) return copy;
    throw notFound('A copy with that id');
  }

  async function list({ user, may }: PersonCall): Promise<PersonAnswer> {
    const patientIds = may(OWN) ? user.patientIds : [];
    const copies = await book.list({ patientIds, askedBy: user.id }, LIST_MAX);
    return { status: 200, json: { copies: copies.map(shown) } };
  }

  async function show(call: PersonCall): Promise<PersonAnswer> {
    const copy = await find(call);
    return { status: 200, json: shown(copy), patientId: copy.patientId, detail: { copy: copy.id } };
  }

  async function download(call: PersonCall): Promise<PersonAnswer> {
    const kind = FORMS.get(call.path['form'] ?? '');
    if (!kind) throw notFound('That path');
    const copy = await find(call);
    const { state, expiresAt = 0 } = copy;
    if (state === 'waiting') throw new FhirError(409, [issue('conflict', 'The copy is still being made')]);
    if (state !== 'ready' || expiresAt <= now())
      throw new FhirError(410, [issue('not-found', 'The copy is gone: ask for another')]);
    return {
      status: 200,
      stream: book.pages(copy.id, kind.form),
      mediaType: kind.mediaType,
      headers: { 'Content-Disposition': `attachment; filename="${kind.name}"` },
      patientId: copy.patientId,
      detail: { copy: copy.id, form: kind.form },
    };
  }

  const rights = [OWN, OTHERS];
  return [
    { method: 'POST', path: PATH, rights, stepUp: true, kind: 'export', told: 'subject-access-ask', handle: ask },
    { method: 'GET', path: PATH, rights, stepUp: false, kind: 'operation', told: 'subject-access-list', handle: list },
    {
      method: 'GET',
      path: `${PATH}/:id`,
      rights,
      stepUp: false,
      kind: 'operation',
      told: 'subject-access-show',
      handle: show,
    },
    {
      method: 'GET',
      path: `${PATH}/:id/:form`,
      rights,
      stepUp: true,
      kind: 'export',
      told: 'subject-access-download',
      handle: download,
    },
  ];
}

/** The patient of the body, or the only one that the person is. */
function readPatient(body: Readonly<Record<string, unknown>>, { patientIds }: CallerUser): string {
  const given = body['patient'];
  const [only, ...more] = patientIds;
  if (given === undefined && only !== undefined && more.length === 0) return only;
  const id = typeof given === 'string' ? given.replace(/^Patient\//, '') : '';
  if (!isId(id)) throw badValue('patient is the id of a Patient', 'patient');
  return id;
}

const shown = ({ id, patientId, state, counts, reason, askedAt, readyAt, expiresAt }: SubjectCopy): object => ({
  id,
  patient: `Patient/${patientId}`,
  state,
  asked_at: iso(askedAt),
  ...(reason !== undefined && { reason }),
  ...(readyAt !== undefined && { ready_at: iso(readyAt) }),
  ...(expiresAt !== undefined && { expires_at: iso(expiresAt) }),
  ...(state === 'ready' && {
    counts,
    bundle: `${PATH}/${id}/bundle`,
    html: `${PATH}/${id}/html`,
  }),
});

const tooMany = (): FhirError =>
  new FhirError(429, [
    issue(
      'throttled',
      `A copy is being made, or ${PER_DAY_MAX} were asked for in 24 hours: fetch those, or come back later`,
    ),
  ]);
