/**
 * Legal holds, erasures and the report of the purge: what one administrator asks for, another decides. SECURITY DP-01,
 * DP-02, DP-04, AZ-08
 */
import type {
  Decided,
  Deed,
  Erasure,
  ErasureBook,
  ErasureReview,
  Hold,
  HoldBook,
  RetentionReport,
} from '../ports/protection.ts';
import { badValue, conflict, FhirError, issue, notFound } from '../standards/fhir/outcome.ts';
import { isId } from '../standards/fhir/reference.ts';
import { iso } from './instant.ts';
import { type PersonAnswer, type PersonCall, type PersonRoute, readWords } from './person-api.ts';
import { readBasis, readHoldTarget } from './protection-requests.ts';

export interface ProtectionOptions {
  readonly holds: HoldBook;
  readonly erasures: ErasureBook;
  readonly review: (patientId: string) => Promise<ErasureReview>;
  readonly report: (runs: number) => Promise<RetentionReport>;
  /** Whether there is such a resource, or was one whose versions are kept. */
  readonly exists: (type: string, id: string) => Promise<boolean>;
  /** Throws what is wrong with a query. */
  readonly checkQuery: (type: string, query: string) => void;
  /** An erasure was approved: there is something to do. */
  readonly begin: () => void;
  readonly now: () => number;
}

const HOLDS = '/api/v2/holds';
const ERASURES = '/api/v2/erasures';
const LIST_MAX = 500;
const RUNS_MAX = 30;

export function createProtectionRoutes(options: ProtectionOptions): readonly PersonRoute[] {
  const { holds, erasures, now } = options;
  const who = ({ user }: PersonCall): Deed => ({ by: user.id, at: now() });
  const id = ({ path }: PersonCall): string => path['id'] ?? '';

  async function proposeHold(call: PersonCall): Promise<PersonAnswer> {
    const target = readHoldTarget(call.body);
    const reason = readWords(call.body, 'reason');
    if (target.kind === 'query') options.checkQuery(target.type, target.query);
    else {
      const type = target.kind === 'patient' ? 'Patient' : target.type;
      if (!(await options.exists(type, target.id))) throw notFound(`${type}/${target.id}`);
    }
    const hold = await holds.propose(target, reason, who(call));
    return { status: 201, headers: { Location: `${HOLDS}/${hold.id}` }, ...toldHold(hold) };
  }

  async function proposeErasure(call: PersonCall): Promise<PersonAnswer> {
    const given = call.body['patient'];
    const patientId = typeof given === 'string' ? given.replace(/^Patient\//, '') : '';
    if (!isId(patientId)) throw badValue('patient is the id of a Patient', 'patient');
    const basis = readBasis(call.body);
    const reason = readWords(call.body, 'reason');
    if (!(await options.exists('Patient', patientId))) throw notFound(`Patient/${patientId}`);
    const erasure = await erasures.propose(patientId, basis, reason, who(call));
    if (erasure === 'open') throw conflict('The erasure of this record has been asked for already');
    const review = await options.review(patientId);
    return {
      status: 201,
      headers: { Location: `${ERASURES}/${erasure.id}` },
      json: { ...shownErasure(erasure), review },
      patientId,
      detail: { erasure: erasure.id, basis },
    };
  }

  async function readErasure(call: PersonCall): Promise<PersonAnswer> {
    const erasure = await erasures.find(id(call));
    if (!erasure) throw notFound('That erasure');
    const { patientId } = erasure;
    const review = patientId === undefined ? undefined : await options.review(patientId);
    return {
      status: 200,
      json: { ...shownErasure(erasure), ...(review && { review }) },
      ...(patientId !== undefined && { patientId }),
      detail: { erasure: erasure.id },
    };
  }

  async function approveErasure(call: PersonCall): Promise<PersonAnswer> {
    const erasure = await erasures.find(id(call));
    const holdsOn = erasure?.patientId === undefined ? [] : (await options.review(erasure.patientId)).holds;
    if (holdsOn.length > 0) throw heldBy(holdsOn);
    const answer = toldErasure(decided(await erasures.approve(id(call), who(call))));
    options.begin();
    return { ...answer, status: 202 };
  }

  const hold = (decide: (call: PersonCall) => Promise<Decided<Hold>>) => async (call: PersonCall) => ({
    status: 200,
    ...toldHold(decided(await decide(call))),
  });
  const post = (path: string, right: string, told: string, handle: PersonRoute['handle']): PersonRoute => ({
    method: 'POST',
    path,
    rights: [right],
    stepUp: true,
    kind: 'operation',
    told,
    handle,
  });
  const get = (path: string, right: string, told: string, handle: PersonRoute['handle']): PersonRoute => ({
    ...post(path, right, told, handle),
    method: 'GET',
    stepUp: false,
  });
  const lift = (call: PersonCall) => holds.lift(id(call), readWords(call.body, 'reason'), who(call));
  return [
    post(HOLDS, 'holds:manage', 'hold-propose', proposeHold),
    get(HOLDS, 'holds:manage', 'hold-list', async () => ({
      status: 200,
      json: { holds: (await holds.list(undefined, LIST_MAX)).map(shownHold) },
    })),
    post(
      `${HOLDS}/:id/approve`,
      'holds:manage',
      'hold-approve',
      hold((call) => holds.approve(id(call), who(call))),
    ),
    post(
      `${HOLDS}/:id/reject`,
      'holds:manage',
      'hold-reject',
      hold((call) => holds.reject(id(call), who(call))),
    ),
    post(`${HOLDS}/:id/lift`, 'holds:manage', 'hold-lift', hold(lift)),
    post(
      `${HOLDS}/:id/lift/approve`,
      'holds:manage',
      'hold-lift-approve',
      hold((call) => holds.approveLift(id(call), who(call))),
    ),
    post(ERASURES, 'erasures:manage', 'erasure-propose', proposeErasure),
    get(ERASURES, 'erasures:manage', 'erasure-list', async () => ({
      status: 200,
      json: { erasures: (await erasures.list(LIST_MAX)).map(shownErasure) },
    })),
    get(`${ERASURES}/:id`, 'erasures:manage', 'erasure-review', readErasure),
    post(`${ERASURES}/:id/approve`, 'erasures:manage', 'erasure-approve', approveErasure),
    post(`${ERASURES}/:id/reject`, 'erasures:manage', 'erasure-reject', async (call) => ({
      status: 200,
      ...toldErasure(decided(await erasures.reject(id(call), who(call)))),
    })),
    get('/api/v2/retention/report', 'retention:read', 'retention-report', async () => ({
      status: 200,
      json: shownReport(await options.report(RUNS_MAX)),
    })),
  ];
}

function decided<T>(of: Decided<T>): T {
  if (of.outcome === 'done') return of.value;
  if (of.outcome === 'absent') throw notFound('That, waiting for this decision,');
  throw new FhirError(403, [issue('forbidden', 'Somebody else must decide: you have asked for it')], {
    cause: { rule: 'second-person' },
  });
}

const heldBy = (holds: readonly string[]): FhirError =>
  new FhirError(
    409,
    [issue('business-rule', `A legal hold stands in the way: ${holds.join(', ')}. Nothing goes before it is lifted.`)],
    { cause: { rule: 'legal-hold' } },
  );
const shownDeed = ({ by, at }: Deed): object => ({ by, at: iso(at) });

const shownHold = ({ target, proposed, decided: by, lift, lifted, ...hold }: Hold): object => ({
  ...hold,
  ...(target.kind === 'patient' && { patient: `Patient/${target.id}` }),
  ...(target.kind === 'resource' && { resource: `${target.type}/${target.id}` }),
  ...(target.kind === 'query' && { query: `${target.type}?${target.query}` }),
  proposed: shownDeed(proposed),
  ...(by && { decided: shownDeed(by) }),
  ...(lift && { lift: { ...shownDeed(lift), reason: lift.reason } }),
  ...(lifted && { lifted: shownDeed(lifted) }),
});

const toldHold = (hold: Hold): Omit<PersonAnswer, 'status'> => ({
  json: shownHold(hold),
  ...(hold.target.kind === 'patient' && { patientId: hold.target.id }),
  detail: { hold: hold.id, kind: hold.target.kind, state: hold.state },
});

const shownErasure = ({ patientId, proposed, decided: by, doneAt, ...erasure }: Erasure): object => ({
  ...erasure,
  ...(patientId !== undefined && { patient: `Patient/${patientId}` }),
  proposed: shownDeed(proposed),
  ...(by && { decided: shownDeed(by) }),
  ...(doneAt !== undefined && { done_at: iso(doneAt) }),
});

const toldErasure = (erasure: Erasure): Omit<PersonAnswer, 'status'> => ({
  json: shownErasure(erasure),
  ...(erasure.patientId !== undefined && { patientId: erasure.patientId }),
  detail: { erasure: erasure.id, state: erasure.state, basis: erasure.basis },
});

const shownReport = ({ rules, runs }: RetentionReport): object => ({
  rules,
  runs: runs.map(({ cutoff, startedAt, endedAt, ...run }) => ({
    ...run,
    cutoff: iso(cutoff),
    started_at: iso(startedAt),
    ...(endedAt !== undefined && { ended_at: iso(endedAt) }),
  })),
});
