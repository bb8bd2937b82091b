import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openAuditKeys } from '../../src/pki/audit-key.ts';
import { KeyFileError } from '../../src/pki/secret-file.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

describe('audit key file [KS-03]', () => {
  let count = 0;
  let folder: string;
  before(() => {
    folder = makeTempFolder();
  });
  const fresh = (): string => join(folder, `keys-${++count}`, 'audit.key');

  it('is made once, for its owner alone, with a key for each purpose', () => {
    const path = fresh();
    const made = openAuditKeys(path);
    expect(statSync(path).mode & 0o777).equal(0o600);
    const text = readFileSync(path, 'utf8');
    const again = openAuditKeys(path);
    expect(readFileSync(path, 'utf8')).equal(text);
    expect(again.macKeys).deep.equal(made.macKeys);
    expect(again.cipher.open(made.cipher.seal(Buffer.from('x'), 'c'), 'c').toString()).equal('x');
    const keys = text
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[2]);
    expect(new Set(keys).size, 'no key serves two purposes').equal(3);
  });

  it('signs, and knows only its own signatures over the very bytes', () => {
    const [ours, other] = [openAuditKeys(fresh()).checkpointKey, openAuditKeys(fresh()).checkpointKey];
    const bytes = Buffer.from('checkpoint');
    const signature = ours.sign(bytes);
    expect(ours.verify(ours.keyId, bytes, signature)).equal(true);
    expect(ours.verify(ours.keyId, Buffer.from('checkpoinT'), signature)).equal(false);
    expect(ours.verify('00000000', bytes, signature)).equal(false);
    expect(other.verify(other.keyId, bytes, signature)).equal(false);
    expect(ours.verify(ours.keyId, bytes, Buffer.alloc(0))).equal(false);
  });

  it('after a new key was written above, the old ones still check and open', () => {
    const [path, newer] = [fresh(), fresh()];
    const old = openAuditKeys(path);
    openAuditKeys(newer);
    const signature = old.checkpointKey.sign(Buffer.from('a'));
    const sealed = old.cipher.seal(Buffer.from('b'), 'c');
    writeFileSync(path, readFileSync(newer, 'utf8') + readFileSync(path, 'utf8'));
    const both = openAuditKeys(path);
    expect(both.macKeys).deep.equal([openAuditKeys(newer).macKeys[0], old.macKeys[0]]);
    expect(both.checkpointKey.keyId).equal(openAuditKeys(newer).checkpointKey.keyId);
    expect(both.checkpointKey.verify(old.checkpointKey.keyId, Buffer.from('a'), signature)).equal(true);
    expect(both.cipher.open(sealed, 'c').toString()).equal('b');
  });

  it('[KS-01] is refused when others can read it', function () {
    if (process.platform === 'win32') this.skip();
    const path = fresh();
    openAuditKeys(path);
    chmodSync(path, 0o640);
    expect(() => openAuditKeys(path)).throw(KeyFileError, /chmod 600/);
  });

  for (const [what, change] of [
    ['a line is no key', (text: string) => `${text}mac 1234\n`],
    ['a purpose lacks its key', (text: string) => text.replace(/^seal.*\n/m, '')],
    ['a checkpoint key is none', (text: string) => text.replace(/^(checkpoint \w+) .*/m, '$1 AAAA')],
    ['it is empty', () => ''],
  ] as const)
    it(`is refused when ${what}, and no key is shown`, () => {
      const path = fresh();
      openAuditKeys(path);
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, change(text));
      const error = (() => {
        try {
          openAuditKeys(path);
        } catch (e) {
          return e as Error;
        }
        return undefined;
      })();
      expect(error).instanceOf(KeyFileError);
      for (const [, key] of text.matchAll(/ ([A-Za-z0-9+/=]{40,})/g)) expect(error?.message).not.include(key);
    });
});
