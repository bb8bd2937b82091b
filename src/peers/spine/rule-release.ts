/** Pharmacies take prescriptions, and give them back. eps/REFERENCE sections 8.1, 8.5 and 9.5. */
import { dispenseError, missing, Refusal, refuse } from './errors.ts';
import { currentIssue, findIssue, type Issue, type Prescription, type Status } from './prescription.ts';
import type { Content } from './read-message.ts';
import type { Agent } from './read-parts.ts';
import type { Released, Ruling, World } from './rules.ts';
import { carryOutPending } from './time-passes.ts';

const RELEASED_MAX = 25;
/** The dispenser could not verify the signature; the message is in the prescriber's name. */
const INVALID_SIGNATURE = '0005';

type Of<K extends Content['kind']> = Extract<Content, { readonly kind: K }>;

export function ruleNominatedRelease({ agent, requestId }: Of<'nominated-release'>, world: World): Ruling {
  checkEnabled(world);
  const ready = world.book
    .nominatedTo(agent.odsCode, world.now)
    .filter((prescription) => currentIssue(prescription).status === '0001')
    .slice(0, RELEASED_MAX);
  if (ready.length === 0) return refuse(dispenseError('0006'));
  return release(ready, agent, requestId, 'PORX_IN070101UK31', world);
}

/** Why a prescription cannot be had in a state. */
const NOT_TO_BE_HAD: Readonly<Record<Exclude<Status, '0001' | '0002' | '0003'>, () => never>> = {
  '0004': () => refuse(dispenseError('0002')),
  '0005': () => refuse(dispenseError('0001')),
  '0006': () => refuse(dispenseError('0005')),
  '0007': () => refuse(dispenseError('0005')),
  '0008': () => refuse(dispenseError('0005')),
  '0009': () => refuse(dispenseError('0005')),
  '9000': () => refuse(dispenseError('0006')),
  '9001': () => refuse(dispenseError('0006')),
};

export function rulePatientRelease({ agent, requestId, prescriptionId }: Of<'patient-release'>, world: World): Ruling {
  checkEnabled(world);
  const prescription = world.book.find(prescriptionId, world.now) ?? refuse(dispenseError('0003'));
  const issue = currentIssue(prescription);
  if (issue.status === '0002' || issue.status === '0003')
    throw new Refusal([dispenseError('0004')], issue.release?.agent);
  if (issue.status !== '0001') return NOT_TO_BE_HAD[issue.status]();
  return release([prescription], agent, requestId, 'PORX_IN070103UK31', world);
}

function checkEnabled({ settings }: World): void {
  if (settings.release === 'off') refuse(dispenseError('0007'));
}

function release(
  prescriptions: readonly Prescription[],
  agent: Agent,
  requestId: string,
  interaction: 'PORX_IN070101UK31' | 'PORX_IN070103UK31',
  { now, newId }: World,
): Ruling {
  const responseId = newId();
  const released: Released[] = prescriptions.map((prescription) => {
    const issue = currentIssue(prescription);
    issue.status = '0002';
    for (const [id, item] of Object.entries(issue.items)) if (item === '0007') issue.items[id] = '0008';
    issue.release = { requestId, responseId, at: now, odsCode: agent.odsCode, agent: agent.xml, name: agent.name };
    return { prescription, issue };
  });
  return { changed: prescriptions, reply: { kind: 'released', interaction, responseId, requestId, released } };
}

export function ruleReturn(message: Of<'return'>, { book, now }: World): Ruling {
  const prescription = book.find(message.prescriptionId, now) ?? refuse(dispenseError('0003'));
  const issue = issueOf(prescription, message.issue);
  const { release: taken } = issue;
  if (taken === undefined || issue.status !== '0002')
    return refuse(dispenseError('5000', 'Invalid State Transition for Prescription'));
  const isPrescriber =
    message.reason === INVALID_SIGNATURE && message.agent.odsCode === prescription.prescriber.odsCode;
  if (message.agent.odsCode !== taken.odsCode && !isPrescriber) throw new Refusal([dispenseError('0004')], taken.agent);
  if (message.releaseResponseId !== taken.responseId)
    return refuse(missing('release response does not pertain to this prescription'));
  issue.status = '0001';
  delete issue.release;
  for (const [id, item] of Object.entries(issue.items)) if (item === '0008') issue.items[id] = '0007';
  carryOutPending(prescription, now);
  return { changed: [prescription], reply: { kind: 'accepted' } };
}

/** The issue a message names; it must be there. */
export function issueOf(prescription: Prescription, number: number | undefined): Issue {
  if (number === undefined) return currentIssue(prescription);
  return findIssue(prescription, number) ?? refuse(dispenseError('0003'));
}
