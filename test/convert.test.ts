/** `npm run convert` as it is run: another process, with its two outputs and its exit code. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { FIXTURES, fixture } from './support/fixtures.ts';
import { makeTempFolder } from './support/temp-folder.ts';

const PROGRAM = join(import.meta.dirname, '../src/convert.ts');
const ORDER = join(FIXTURES, 'eps/prescription-order-acute.json');
const EMPTY = makeTempFolder();
const AT = ['--at', '2026-11-16T09:41:30Z'];

const run = (
  args: readonly string[],
  options: { readonly input?: Buffer | string; readonly initCwd?: string } = {},
): { code: number | null; out: string; err: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    input: options.input ?? '',
    env: {
      PATH: process.env['PATH'] ?? '',
      DATA_DIR: EMPTY,
      ...(options.initCwd !== undefined && { INIT_CWD: options.initCwd }),
    },
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
};

describe('convert, the command', function () {
  this.timeout(180_000);

  it('writes the result to standard output and exits with 0', () => {
    const { code, out, err } = run(['--to', 'eps-v3', ...AT, ORDER]);
    expect(err).equal('');
    expect(code).equal(0);
    expect(out.trim()).equal(fixture('eps/prescription-order-acute.v3.xml').toString().trim());
  });

  it('takes standard input', () => {
    const { code, out } = run(['--prepare', ...AT, '-'], { input: fixture('eps/prescription-order-acute.json') });
    expect(code).equal(0);
    expect(JSON.parse(out)).deep.equal(JSON.parse(fixture('eps/prescription-order-acute.prepare.json').toString()));
  });

  it('takes a path from where the user stands, which npm tells', () => {
    const folder = makeTempFolder();
    mkdirSync(join(folder, 'orders'));
    writeFileSync(join(folder, 'orders/one.json'), fixture('eps/prescription-order-acute.json'));
    expect(run(['--to', 'eps-v3', 'orders/one.json'], { initCwd: folder }).code).equal(0);
  });

  it('passes headers on', () => {
    const { out } = run(['--to', 'eps-v3', '--header', 'NHSD-ASID=111111111111', ORDER]);
    expect(out).contain('extension="111111111111"');
  });

  it('finds out what the content is', () => {
    expect(JSON.parse(run([join(FIXTURES, 'hl7v2/own-uk-a01.hl7')]).out)).property('type', 'transaction');
    expect(JSON.parse(run([join(FIXTURES, 'script/newrx-basic.xml')]).out)).property('type', 'transaction');
  });

  it('translates EPS V3 back, in MIME parts too', () => {
    const { code, out, err } = run(['--to', 'fhir', join(FIXTURES, 'eps/prescription-order-acute.v3.xml')]);
    expect([code, err]).deep.equal([0, '']);
    expect(JSON.parse(out)).property('type', 'message');
    const released = run([join(FIXTURES, 'eps/inbound/release-patient.xml')]);
    expect(released.code).equal(0);
    expect(JSON.parse(released.out)).property('resourceType', 'Parameters');
    expect(released.out).contain('Signature was not checked.');
    expect(released.err).match(/^information informational PORX_IN070103UK31\/.*is left out/);
  });

  it('translates EPS V3 back exactly as the national gateway does, when asked', () => {
    const file = join(FIXTURES, 'eps/prescription-order-acute.v3.xml');
    expect(run([file]).out).contain('"community"');
    expect(run(['--header', 'eps-form=national', file]).out).not.contain('"community"');
  });

  it('refuses EPS V3 that cannot be read, with the place', () => {
    const broken = fixture('eps/prescription-order-acute.v3.xml')
      .toString()
      .replace(/<birthTime[^>]*>/, '');
    const { code, out, err } = run(['--to', 'fhir', '-'], { input: broken });
    expect(code).equal(1);
    expect(JSON.parse(out)).property('resourceType', 'OperationOutcome');
    expect(err).match(/^error required .*\/patientPerson\/birthTime: birthTime is missing \(line \d+, column \d+\)\n$/);
  });

  it('believes no signature where nobody says whose', () => {
    const { code, err } = run(['--verify', join(FIXTURES, 'eps/inbound/release-patient.xml')]);
    expect([code, err.includes('EPS_SIGNER_CA_FILE')]).deep.equal([1, true]);
  });

  it('exits with 1 and an OperationOutcome when it is refused, and says why on standard error', () => {
    const { code, out, err } = run(['--check', join(FIXTURES, 'script/bad-gender.xml')]);
    expect(code).equal(1);
    expect(JSON.parse(out)).property('resourceType', 'OperationOutcome');
    expect(err).match(/^error code-invalid Message\/Body\/NewRx\/.*Gender/);
  });

  const WRONG: readonly [string, readonly string[], string][] = [
    ['no file', ['--to', 'fhir'], 'name one FILE'],
    ['two files', ['a', 'b'], 'name one FILE'],
    ['a file that is not there', ['/nowhere/x.json'], 'cannot be read (ENOENT)'],
    ['an unknown target', ['--to', 'fax', ORDER], '--to is one of'],
    ['an unknown option', ['--too', 'fhir', ORDER], '--too'],
    ['an instant without an offset', ['--at', '2022', ORDER], 'offset'],
    ['a header without a value', ['--header', 'x', ORDER], 'NAME=VALUE'],
    ['two things to do', ['--check', '--verify', ORDER], 'exclude each other'],
    ['content that is nothing known', ['-'], 'none of JSON'],
  ];
  for (const [title, args, text] of WRONG)
    it(`exits with 2 and its usage for ${title}`, () => {
      const { code, out, err } = run(args);
      expect([code, out]).deep.equal([2, '']);
      expect(err).contain(text).contain('npm run -s convert');
    });
});
