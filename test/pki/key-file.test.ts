import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openKeyFile } from '../../src/pki/key-file.ts';
import { KeyFileError } from '../../src/pki/secret-file.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

describe('key file [KS-07]', () => {
  let folder: string;
  before(() => {
    folder = makeTempFolder();
  });
  let count = 0;
  const fresh = (): string => {
    count += 1;
    return join(folder, `keys-${count}`, 'message.key');
  };

  it('is made at the first start, for its owner alone, and opens what it sealed at every other', () => {
    const path = fresh();
    const sealed = openKeyFile(path).seal(Buffer.from('PID|1'), 'message 1 raw');
    expect(statSync(path).mode & 0o777).equal(0o600);
    expect(readdirSync(join(path, '..'))).deep.equal(['message.key']);
    expect(openKeyFile(path).open(sealed, 'message 1 raw').toString()).equal('PID|1');
  });

  it('never seals the same bytes the same way, and shows nothing of them', () => {
    const cipher = openKeyFile(fresh());
    const plain = Buffer.from('Oak'.repeat(100));
    const [a, b] = [cipher.seal(plain, 'x'), cipher.seal(plain, 'x')];
    expect(a.equals(b)).equal(false);
    expect(a.includes('Oak')).equal(false);
  });

  for (const size of [0, 1, 15, 16, 17, 100_000])
    it(`opens ${size} bytes`, () => {
      const cipher = openKeyFile(fresh());
      const plain = Buffer.alloc(size, 7);
      expect(cipher.open(cipher.seal(plain, 'x'), 'x').equals(plain)).equal(true);
    });

  it('refuses another context, a changed byte anywhere, a cut and another key', () => {
    const cipher = openKeyFile(fresh());
    const sealed = cipher.seal(Buffer.from('secret'), 'message 1 raw');
    expect(() => cipher.open(sealed, 'message 2 raw')).throw();
    for (let i = 0; i < sealed.length; i++) {
      const changed = Buffer.from(sealed);
      changed[i] = (changed[i] as number) ^ 1;
      expect(() => cipher.open(changed, 'message 1 raw'), `byte ${i}`).throw();
      expect(() => cipher.open(sealed.subarray(0, i), 'message 1 raw'), `cut at ${i}`).throw();
    }
    expect(() => openKeyFile(fresh()).open(sealed, 'message 1 raw')).throw('key');
  });

  it('seals with the first line and opens with all, so that a key can be changed', () => {
    const [old, next] = [fresh(), fresh()];
    const sealed = openKeyFile(old).seal(Buffer.from('before'), 'x');
    openKeyFile(next);
    writeFileSync(next, readFileSync(next, 'utf8') + readFileSync(old, 'utf8'));
    expect(openKeyFile(next).open(sealed, 'x').toString()).equal('before');
  });

  it('says what is wrong with the file and how to mend it', () => {
    const open = fresh();
    openKeyFile(open);
    chmodSync(open, 0o644);
    expect(() => openKeyFile(open)).throw(KeyFileError, `chmod 600 ${open}`);
    const broken = fresh();
    openKeyFile(broken);
    writeFileSync(broken, 'not a key\n');
    expect(() => openKeyFile(broken)).throw(KeyFileError, 'line 1');
    writeFileSync(broken, '');
    expect(() => openKeyFile(broken)).throw(KeyFileError, 'there is no key');
    const blocked = join(folder, 'file');
    writeFileSync(blocked, '');
    expect(() => openKeyFile(join(blocked, 'message.key'))).throw(KeyFileError, 'MESSAGE_KEY_FILE');
    expect(existsSync(join(blocked, 'message.key'))).equal(false);
  });
});
