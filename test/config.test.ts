import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  ConfigError,
  findMisspellings,
  formatConfigurationMarkdown,
  formatEnvExample,
  readConfig,
} from '../src/config.ts';

const root = join(import.meta.dirname, '..');
const refusal = (env: Record<string, string>): string => {
  try {
    readConfig(env);
  } catch (error) {
    expect(error).instanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error('expected a refusal');
};

describe('config', () => {
  it('has a default for all that the server needs', () => {
    const config = readConfig({});
    expect(config).include({ host: '127.0.0.1', port: 8080, dataDir: '.data', logLevel: 'info' });
    expect(config.publicUrl).equal(undefined);
    expect(config.databaseUrl).equal(undefined);
    expect(config.bodyBytesMax).equal(10 * 1024 * 1024);
  });

  it('takes empty text as not set', () => {
    expect(readConfig({ PORT: '', DATABASE_URL: '' })).include({ port: 8080, databaseUrl: undefined });
  });

  for (const [env, value] of [
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80a'],
    ['PORT', '0x50'],
    ['PORT', '8.5'],
    ['PORT', ' 80'],
    ['HOST', '0.0.0.0'],
    ['HOST', 'example.org'],
    ['PUBLIC_URL', 'http://example.org/'],
    ['PUBLIC_URL', 'ftp://example.org'],
    ['PUBLIC_URL', 'http://u:p@example.org'],
    ['PUBLIC_URL', 'http://example.org?'],
    ['PUBLIC_URL', 'example.org'],
    ['LOG_LEVEL', 'INFO'],
    ['SEARCH_HANDLING', 'loose'],
    ['TEST_SIZE', 'huge'],
    ['POSTGRES_UID', '0'],
    ['UNSAFE_DATABASE', 'true'],
    ['PAGE_SIZE_MAX', '0'],
  ] as const)
    it(`refuses ${env}=${value}, naming it and what is allowed`, () => {
      expect(refusal({ [env]: value })).contains(`${env} is ${JSON.stringify(value)}; allowed: `);
    });

  for (const [env, value] of [
    ['PORT', '0'],
    ['HOST', '::1'],
    ['PUBLIC_URL', 'https://fhir.example.org/a/b'],
    ['DATABASE_URL', 'postgres://u:p@h/d'],
    ['DATABASE_URL', 'postgresql:///d?host=/run/postgresql'],
  ] as const)
    it(`allows ${env}=${value}`, () => {
      readConfig({ [env]: value });
    });

  it('names every wrong value at once', () => {
    const message = refusal({ PORT: 'x', LOG_LEVEL: 'y', HOST: '10.0.0.1' });
    for (const env of ['PORT', 'LOG_LEVEL', 'HOST']) expect(message).contains(`${env} is `);
    expect(message).contains('no sign-in');
  });

  it('never shows a secret, even a wrong one', () => {
    expect(refusal({ DATABASE_URL: 'mysql://u:geheim@h/d' }))
      .contains('DATABASE_URL')
      .not.contains('geheim');
  });

  it('refuses a default page larger than the largest', () => {
    expect(refusal({ PAGE_SIZE_DEFAULT: '100', PAGE_SIZE_MAX: '50' })).contains('PAGE_SIZE_DEFAULT');
  });

  it('finds misspelt settings and leaves other variables alone', () => {
    const env = {
      LOGLEVEL: '',
      DATADIR: '',
      DATABASE_URI: '',
      MORTAR_PORT: '',
      HOME: '',
      PATH: '',
      PORT: '',
      TERM: '',
    };
    expect(findMisspellings(env)).deep.equal([
      { name: 'LOGLEVEL', meant: 'LOG_LEVEL' },
      { name: 'DATADIR', meant: 'DATA_DIR' },
      { name: 'DATABASE_URI', meant: 'DATABASE_URL' },
      { name: 'MORTAR_PORT', meant: 'PORT' },
    ]);
  });

  for (const [file, format] of [
    ['docs/configuration.md', formatConfigurationMarkdown],
    ['.env.example', formatEnvExample],
  ] as const)
    it(`${file} is what npm run docs writes`, () => {
      expect(readFileSync(join(root, file), 'utf8')).equal(format());
    });
});
