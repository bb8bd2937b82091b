/** `npm run token`: an access token for scripts, for whoever can read the operator's key. docs/smart.md */
import { parseArgs } from 'node:util';
import { requestOperatorToken } from './auth/oauth/operator-client.ts';
import { parsed, runCommand, serverDataDir, UsageError } from './command.ts';
import { isOperatorError } from './operator-cli.ts';

const HELP = `npm run -s token -- [options]

  --scope SCOPES     what the token is for; system/*.cruds, or user/*.cruds with --user
  --user NAME        name or e-mail of the person to act for, with that person's rights
  --ttl SECONDS      how long it lives, 86400 at most; 3600

The token alone goes to standard output. The server must run; it is found by ports.json in DATA_DIR (.data).
`;

await runCommand('token', HELP, run, isOperatorError);

async function run(): Promise<void> {
  const { values } = parsed(() =>
    parseArgs({
      options: {
        scope: { type: 'string' },
        user: { type: 'string' },
        ttl: { type: 'string', default: '3600' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  );
  if (values.help) return void process.stdout.write(HELP);
  if (!/^\d{1,6}$/.test(values.ttl)) throw new UsageError('--ttl is a number of seconds');
  const { token } = await requestOperatorToken({
    dataDir: serverDataDir(),
    ...(values.scope !== undefined && { scope: values.scope }),
    ...(values.user !== undefined && { user: values.user }),
    ttlS: Number(values.ttl),
    now: Date.now,
  });
  process.stdout.write(`${token}\n`);
}
