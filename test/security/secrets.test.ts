import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

const ROOT = join(import.meta.dirname, '../..');
const git = (...args: string[]): string =>
  execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });

/** What nobody may commit. Written in two pieces, so that this file is not found. */
const PEM = `BEGIN [A-Z ]*PRIVATE ${'KEY'}`;
const SECRETS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a private key', new RegExp(PEM)],
  ['a private JWK', /"kty"\s*:\s*"(?:RSA|EC|OKP)"[^}]*"d"\s*:\s*"[\w-]{20,}"/],
  ['an access key of a cloud', /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ['a token of a code host', /\b(?:gh[pousr]_[A-Za-z0-9]{36}|glpat-[\w-]{20}|npm_[A-Za-z0-9]{36})\b/],
];
const KEY_FILES = /\.(?:key|pem|p12|pfx|jks)$|(?:^|\/)(?:operator\.key|setup-link|\.env)$/;

describe('secrets', () => {
  before(function () {
    if (existsSync(join(ROOT, '.git'))) return;
    console.log('      needs a git clone: what was ever committed is looked through');
    this.skip();
  });

  it('[KS-02] no file of the repository holds a key or a token', () => {
    const files = git('ls-files', '-z').split('\0').filter(Boolean);
    expect(files.length).greaterThan(500);
    expect(files.filter((file) => KEY_FILES.test(file))).deep.equal([]);
    const found: string[] = [];
    for (const file of files.filter((name) => existsSync(join(ROOT, name)))) {
      const text = readFileSync(join(ROOT, file), 'latin1');
      for (const [what, pattern] of SECRETS) if (pattern.test(text)) found.push(`${file}: ${what}`);
    }
    expect(found).deep.equal([]);
  });

  it('[KS-02] none ever did', () => {
    expect(git('log', '--all', '--format=%h', `-G${PEM}`).trim()).equal('');
    const names = git('log', '--all', '--format=', '--name-only', '--diff-filter=A').split('\n');
    expect(names.filter((name) => KEY_FILES.test(name))).deep.equal([]);
  });

  for (const [what, pattern] of SECRETS)
    it(`knows ${what} when it sees one`, () => {
      const seen = [
        `-----${PEM.replace('[A-Z ]*', 'EC ')}-----`,
        `{"kty":"EC","crv":"P-256","d":"${'a'.repeat(43)}"}`,
        `AKIA${'A'.repeat(16)}`,
        `ghp_${'a'.repeat(36)}`,
      ].filter((text) => pattern.test(text));
      expect(seen).length(1);
    });
});
