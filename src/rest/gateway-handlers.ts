/** What the gateway does beside messages: its jobs, SCRIPT mailboxes, the report of controlled substances. */
import { parseJson } from '../standards/fhir/json.ts';
import { badValue } from '../standards/fhir/outcome.ts';
import type { PartyAddress } from '../standards/script/message.ts';
import { iso } from './instant.ts';
import type { Answer, Call, MessageApiOptions } from './message-desk.ts';

const JOBS_MAX = 500;

export async function overview({ desk }: MessageApiOptions, { caller }: Call): Promise<Answer> {
  const [messages, dead] = await Promise.all([desk.messages.count(caller), desk.jobs.list('dead', JOBS_MAX)]);
  return { status: 200, json: { messages, deadJobs: dead.length } };
}

export async function listJobs({ desk }: MessageApiOptions, { query }: Call): Promise<Answer> {
  const state = query.get('state') ?? 'dead';
  if (state !== 'dead' && state !== 'ready' && state !== 'running' && state !== 'held')
    throw badValue('state is ready, running, held or dead', 'state');
  const jobs = await desk.jobs.list(state, JOBS_MAX);
  return {
    status: 200,
    json: { jobs: jobs.map((job) => ({ ...job, runAt: iso(job.runAt), createdAt: iso(job.createdAt) })) },
  };
}

/** `?from=D:6301875277001&to=P:0300123`, and a Bundle. It waits in the mailbox of `to` until it is fetched. */
export async function queueScript({ desk }: MessageApiOptions, { caller, query, body }: Call): Promise<Answer> {
  const party = (name: 'from' | 'to'): PartyAddress => {
    const [, qualifier = '', address = ''] = /^([A-Z]{1,6}):(\S{1,255})$/.exec(query.get(name) ?? '') ?? [];
    if (address === '') throw badValue(`${name} is a qualifier and an address, like P:0300123`, name);
    return { qualifier, address };
  };
  const queued = await desk.queueScript(caller, parseJson(body), { from: party('from'), to: party('to') });
  return { status: 202, json: queued };
}

/** `?day=2026-01-31`, UTC. 21 CFR 1311.150, .215 */
export async function epcsReport({ desk }: MessageApiOptions, { query }: Call): Promise<Answer> {
  return { status: 200, json: await desk.epcsReport(query.get('day') ?? '') };
}

export async function replayJobs({ desk }: MessageApiOptions, { query }: Call): Promise<Answer> {
  const [kind, id] = [query.get('kind'), query.get('id')];
  if (kind?.includes('\u0000') === true) throw badValue('kind is the kind of a job', 'kind');
  if (id !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))
    throw badValue('id is the id of a job', 'id');
  const queued = await desk.jobs.replay({
    ...(kind !== undefined && { kind }),
    ...(id !== undefined && { ids: [id] }),
  });
  return { status: 202, json: { queued } };
}
