/** `npm run users`: adds, lists and disables users of the server that runs on DATA_DIR. docs/smart.md */
import { parseArgs } from 'node:util';
import type { OperatorToken } from './auth/oauth/operator-client.ts';
import { parsed, runCommand, UsageError } from './command.ts';
import { ask, isOperatorError, openServer } from './operator-cli.ts';

const HELP = `npm run -s users -- add --name N --email E --password P --role R [options]     prints {"id": …, "totpSecret": …}
npm run -s users -- list                                                      prints one user a line
npm run -s users -- disable ID

  --password P         without it the answer has a link by which the person chooses one
  --role ROLE          PATIENT, DOCTOR, PRESCRIBER, PHARMACIST, RECEPTIONIST, STAFF, OPS_AGENT, OPS_MANAGER or
                       ADMIN; may be repeated
  --patient ID         a Patient whose record is the person's own; may be repeated
  --related ID         a RelatedPerson that the person is, to act for its patient; may be repeated
  --practitioner ID    the Practitioner that the person is
  --organization ID    an Organization that the person works for; may be repeated
  --mfa totp           makes the second factor too: its secret and recovery codes are printed once
`;

const PATH = '/api/v2/admin/users';
const PAGE = 500;

await runCommand('users', HELP, run, isOperatorError);

async function run(): Promise<void> {
  const { values, positionals } = parse();
  if (values.help) return void process.stdout.write(HELP);
  const [command, id, ...more] = positionals;
  if (more.length > 0 || (id !== undefined && command !== 'disable')) throw new UsageError('there is a word too many');
  if (command === 'add') return add(values);
  if (command === 'list') return list(await openServer());
  if (command !== 'disable') throw new UsageError('say add, list or disable');
  if (id === undefined) throw new UsageError('name the ID of the user');
  await ask(await openServer(), 'POST', `${PATH}/${encodeURIComponent(id)}/disable`, {});
}

type Values = ReturnType<typeof parse>['values'];

async function add(values: Values): Promise<void> {
  const { name, email, password, role, patient, related, practitioner, organization, mfa } = values;
  if (name === undefined || email === undefined || role.length === 0)
    throw new UsageError('--name, --email and --role are needed');
  const added = await ask(await openServer(), 'POST', PATH, {
    name,
    email,
    password,
    roles: role,
    patient_ids: patient,
    related_person_ids: related,
    practitioner_id: practitioner,
    organization_ids: organization,
    mfa,
  });
  process.stdout.write(`${JSON.stringify(added)}\n`);
}

async function list(server: OperatorToken): Promise<void> {
  for (let after: string | undefined; ; ) {
    const query = after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
    const { users, next } = await ask(server, 'GET', `${PATH}?_count=${PAGE}${query}`);
    for (const { id, name, email, roles, disabled, mfa_enabled } of users as readonly Record<string, unknown>[]) // a list
      process.stdout.write(`${JSON.stringify({ id, name, email, roles, disabled, mfa_enabled })}\n`);
    if (typeof next !== 'string') return;
    after = next;
  }
}

function parse() {
  return parsed(() =>
    parseArgs({
      allowPositionals: true,
      options: {
        name: { type: 'string' },
        email: { type: 'string' },
        password: { type: 'string' },
        role: { type: 'string', multiple: true, default: [] },
        patient: { type: 'string', multiple: true, default: [] },
        related: { type: 'string', multiple: true, default: [] },
        practitioner: { type: 'string' },
        organization: { type: 'string', multiple: true, default: [] },
        mfa: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  );
}
