/** `npm run reconcile`: what an HL7 v2 sender has said against the record of the server that runs on DATA_DIR. docs/hl7v2.md */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { OperatorKeyError } from './auth/oauth/operator.ts';
import { OperatorRequestError, requestOperatorToken, send } from './auth/oauth/operator-client.ts';
import { endWithReader } from './command.ts';
import type { Reconciliation } from './reconciliation.ts';

const HELP = `npm run -s reconcile -- --sender 'PAS|RXX' [--since INSTANT] [--until INSTANT] [--json]

  --sender NAME    MSH-3 and MSH-4 with a bar, as the message log has them
  --since, --until which of its messages, such as 2026-05-01 or 2026-05-01T09:00:00Z
  --json           the whole report; else a line a difference

Exit 0: nothing differs. Exit 1: something does. Exit 2: the command was wrong, or the server does not answer.
`;

endWithReader();
await main();

async function main(): Promise<void> {
  try {
    process.exitCode = (await run()) ? 0 : 1;
  } catch (error) {
    const isKnown =
      error instanceof OperatorRequestError || error instanceof OperatorKeyError || error instanceof TypeError;
    if (!isKnown) throw error;
    process.stderr.write(`reconcile: ${error.message}\n\n${HELP}`);
    process.exitCode = 2;
  }
}

/** Whether nothing differs. */
async function run(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      sender: { type: 'string' },
      since: { type: 'string' },
      until: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return true;
  }
  if (values.sender === undefined) throw new TypeError('--sender is needed');
  const dataDir = resolve(process.env['DATA_DIR'] ?? '.data');
  const { token, address } = await requestOperatorToken({ dataDir, now: Date.now });
  const pages: Reconciliation[] = [];
  let cursor: string | undefined;
  do {
    const query = new URLSearchParams({ sender: values.sender });
    if (values.since !== undefined) query.set('since', values.since);
    if (values.until !== undefined) query.set('until', values.until);
    if (cursor !== undefined) query.set('cursor', cursor);
    const { status, body } = await send(`${address}/gateway/reconciliation?${query}`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    if (status !== 200) throw new OperatorRequestError(`the server answers ${status}: ${JSON.stringify(body)}`);
    const page = body as unknown as Reconciliation; // our own answer
    pages.push(page);
    cursor = page.next;
  } while (cursor !== undefined);
  if (values.json) process.stdout.write(`${JSON.stringify(pages, undefined, 2)}\n`);
  else print(pages);
  return pages.every(({ patients, others, notApplied }) => patients.length + others.length + notApplied.length === 0);
}

function print(pages: readonly Reconciliation[]): void {
  const count = pages.reduce((sum, { messages }) => sum + messages, 0);
  process.stdout.write(`${count} messages\n`);
  for (const { patients, others, notApplied } of pages) {
    for (const { patient, differences } of patients)
      for (const { resource, kind, elements, message } of differences)
        process.stdout.write(`${patient}  ${resource} ${kind}: ${elements.join(', ')}  (message ${message})\n`);
    for (const { resource, kind, message } of others)
      process.stdout.write(`-  ${resource} ${kind}  (message ${message})\n`);
    for (const { kind, state, message, error = '' } of notApplied)
      process.stdout.write(`-  ${kind} ${state}: ${error}  (message ${message})\n`);
  }
}
