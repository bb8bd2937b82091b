/** `npm run clients`: registers, lists and disables clients of the server that runs on DATA_DIR. docs/smart.md */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { OperatorToken } from './auth/oauth/operator-client.ts';
import { parsed, runCommand, typedPath, UsageError } from './command.ts';
import { ask, isOperatorError, openServer } from './operator-cli.ts';
import { generalNameOf } from './standards/x509/general-name.ts';

const HELP = `npm run -s clients -- add --name N --scope S [options]     prints {"client_id": …, "client_secret": …}
npm run -s clients -- list                                  prints one client a line
npm run -s clients -- disable ID
npm run -s clients -- invite                                prints {"initial_access_token": …}, to register one app with
npm run -s clients -- rotate-keys                           in an emergency: new keys sign ID tokens at once, and what
                                                            the old ones signed is worth nothing any more

  --public           an app that cannot keep a secret; what it is unless another is said
  --secret           an app that keeps a secret, which is printed once
  --jwks FILE        a client with keys of its own: a JSON file with its public keys
  --jwks-url URL     the same, with the keys at an address
  --tls-subject DN   a client that proves itself by its TLS certificate: the subject, as CN=…,O=…
  --tls-name NAME    the same by an alternative name: a URI, a host name, an address
  --redirect URL     where people are sent back to; may be repeated
  --launch URL       where the console opens the app
  --publisher NAME   who makes it, for the consent page
  --introspect       may ask about tokens of other clients
  --nhs              is answered as the API platform of the NHS does
`;

const PATH = '/api/v2/admin/clients';

await runCommand('clients', HELP, run, isOperatorError);

async function run(): Promise<void> {
  const { values, positionals } = parse();
  if (values.help) return void process.stdout.write(HELP);
  const [command, id, ...more] = positionals;
  if (more.length > 0 || (id !== undefined && command !== 'disable')) throw new UsageError('there is a word too many');
  if (command === 'add') return add(values);
  if (command === 'list') return list(await openServer());
  if (command === 'invite') return print(await ask(await openServer(), 'POST', '/api/v2/admin/registration-tokens'));
  if (command === 'rotate-keys') return print(await ask(await openServer(), 'POST', '/api/v2/admin/keys/rotate'));
  if (command !== 'disable') throw new UsageError('say add, list, disable, invite or rotate-keys');
  if (id === undefined) throw new UsageError('name the ID of the client');
  await ask(await openServer(), 'POST', `${PATH}/${encodeURIComponent(id)}/disable`);
}

function print(answer: object): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

type Values = ReturnType<typeof parse>['values'];

async function add(values: Values): Promise<void> {
  const { name, scope } = values;
  if (name === undefined || scope === undefined) throw new UsageError('--name and --scope are needed');
  const { 'tls-subject': subject, 'tls-name': alternative } = values;
  const isTls = subject !== undefined || alternative !== undefined;
  const given = [values.public, values.secret, values.jwks !== undefined, values['jwks-url'] !== undefined, isTls];
  if (given.filter(Boolean).length > 1)
    throw new UsageError('--public, --secret, --jwks, --jwks-url and --tls-… exclude each other');
  const hasKeys = values.jwks !== undefined || values['jwks-url'] !== undefined;
  const metadata = {
    client_name: name,
    scope,
    token_endpoint_auth_method: methodOf(values.secret, hasKeys, isTls),
    grant_types:
      values.redirect.length > 0 ? ['authorization_code', 'refresh_token'] : isTls ? ['client_credentials'] : [],
    redirect_uris: values.redirect,
    jwks: values.jwks === undefined ? undefined : readKeys(values.jwks),
    jwks_uri: values['jwks-url'],
    tls_client_auth_subject_dn: subject,
    ...(alternative !== undefined && { [`tls_client_auth_san_${generalNameOf(alternative).kind}`]: alternative }),
    launch_url: values.launch,
    publisher: values.publisher,
    introspect: values.introspect,
    profile: values.nhs ? 'nhs' : undefined,
  };
  const { client_id, client_secret } = await ask(await openServer(), 'POST', PATH, metadata);
  process.stdout.write(`${JSON.stringify({ client_id, client_secret })}\n`);
}

function methodOf(isSecret: boolean, hasKeys: boolean, isTls: boolean): string {
  if (isTls) return 'tls_client_auth';
  if (hasKeys) return 'private_key_jwt';
  return isSecret ? 'client_secret_basic' : 'none';
}

async function list(server: OperatorToken): Promise<void> {
  for (let after: string | undefined; ; ) {
    const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
    const page = (await ask(server, 'GET', PATH + query)) as unknown as readonly Readonly<Record<string, unknown>>[]; // a list
    for (const { client_id, client_name, scope, disabled, token_endpoint_auth_method } of page)
      process.stdout.write(
        `${JSON.stringify({ client_id, client_name, token_endpoint_auth_method, scope, disabled })}\n`,
      );
    const last = page.at(-1)?.['client_id'];
    if (typeof last !== 'string') return;
    after = last;
  }
}

function readKeys(file: string): unknown {
  try {
    return JSON.parse(readFileSync(typedPath(file), 'utf8'));
  } catch (error) {
    throw new UsageError(`${file} cannot be read as JSON: ${(error as Error).message}`);
  }
}

function parse() {
  return parsed(() =>
    parseArgs({
      allowPositionals: true,
      options: {
        name: { type: 'string' },
        scope: { type: 'string' },
        public: { type: 'boolean', default: false },
        secret: { type: 'boolean', default: false },
        jwks: { type: 'string' },
        'jwks-url': { type: 'string' },
        'tls-subject': { type: 'string' },
        'tls-name': { type: 'string' },
        redirect: { type: 'string', multiple: true, default: [] },
        launch: { type: 'string' },
        publisher: { type: 'string' },
        introspect: { type: 'boolean', default: false },
        nhs: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  );
}
