import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigError, readConfig } from '../src/config.ts';
import { listenAddresses } from '../src/config-checks.ts';
import { formatConfigurationMarkdown, formatEnvExample } from '../src/config-docs.ts';
import { findMisspellings } from '../src/config-misspellings.ts';

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
    ['HOST', '0.0.0.0/8'],
    ['NODE_ENV', 'prod'],
    ['HTTPS_PORT', 'on'],
    ['TRUSTED_PROXIES', '10.0.0.0/33'],
    ['TRUSTED_PROXIES', '10.0.0.1,proxy'],
    ['RATE_LIMITS', 'login=0/min'],
    ['RATE_LIMITS', 'login=5/day'],
    ['RATE_LIMITS', 'logins=5/min'],
    ['RATE_LIMITS', 'login=5/min,login=6/min'],
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
    ['TRUSTED_PROXIES', '10.0.0.0/8, ::1'],
    ['RATE_LIMITS', 'login=20/min,register=off'],
    ['PUBLIC_URL', 'https://fhir.example.org/a/b'],
    ['DATABASE_URL', 'postgres://u:p@h/d'],
    ['DATABASE_URL', 'postgresql:///d?host=/run/postgresql'],
  ] as const)
    it(`allows ${env}=${value}`, () => {
      readConfig({ [env]: value });
    });

  it('names every wrong value at once', () => {
    const message = refusal({ PORT: 'x', LOG_LEVEL: 'y', HOST: 'example.org' });
    for (const env of ['PORT', 'LOG_LEVEL', 'HOST']) expect(message).contains(`${env} is `);
  });

  it('never shows a secret, even a wrong one', () => {
    expect(refusal({ DATABASE_URL: 'mysql://u:geheim@h/d' }))
      .contains('DATABASE_URL')
      .not.contains('geheim');
  });

  for (const [what, env, says] of [
    ['another address without TLS', { HOST: '10.0.0.1' }, 'PLAIN_HTTP=allow'],
    ['every address without a public URL', { HOST: '0.0.0.0', HTTPS_PORT: '8443' }, 'PUBLIC_URL'],
    ['a certificate without its key', { TLS_CERT_FILE: 'a.crt' }, 'TLS_KEY_FILE'],
    ['a client CA without TLS', { TLS_CLIENT_CA_FILE: 'ca.crt' }, 'HTTPS_PORT'],
  ] as const)
    it(`[PK-01] refuses ${what}`, () => {
      expect(refusal(env)).contains(says);
    });

  for (const [env, plainHost, https, isPublicOverTls] of [
    [{}, '127.0.0.1', undefined, false],
    [{ HOST: '10.0.0.1', PLAIN_HTTP: 'allow' }, '10.0.0.1', undefined, false],
    [{ HOST: '10.0.0.1', HTTPS_PORT: '0' }, '127.0.0.1', { host: '10.0.0.1', port: 0 }, true],
    [{ HTTPS_PORT: '9443' }, '127.0.0.1', { host: '127.0.0.1', port: 9443 }, false],
    [{ TLS_CERT_FILE: 'a', TLS_KEY_FILE: 'b' }, '127.0.0.1', { host: '127.0.0.1', port: 8443 }, true],
    [{ TLS_CERT_FILE: 'a', TLS_KEY_FILE: 'b', HTTPS_PORT: 'off' }, '127.0.0.1', undefined, false],
  ] as const)
    it(`[PK-01] listens without TLS on ${plainHost} with ${JSON.stringify(env)}`, () => {
      expect(listenAddresses(readConfig(env))).deep.equal({ plainHost, https, isPublicOverTls });
    });

  const production = { NODE_ENV: 'production', PUBLIC_URL: 'https://fhir.example.org' };
  it('[SU-07] starts for production with a public URL over https, or on this machine', () => {
    expect(readConfig(production).nodeEnv).equal('production');
    readConfig({ NODE_ENV: 'production' });
    readConfig({ NODE_ENV: 'production', PUBLIC_URL: 'http://localhost:8080' });
  });
  for (const [env, says] of [
    [{ PUBLIC_URL: 'http://fhir.example.org' }, 'PUBLIC_URL'],
    [{ PUBLIC_URL: '', HOST: '10.0.0.1', PLAIN_HTTP: 'allow' }, 'PUBLIC_URL'],
    [{ CLOCK_FILE: 'clock' }, 'CLOCK_FILE'],
    [{ UNSAFE_DATABASE: 'allow' }, 'UNSAFE_DATABASE'],
    [{ HTTPS_PORT: '8443' }, 'TLS_CERT_FILE'],
    [{ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, 'NODE_TLS_REJECT_UNAUTHORIZED'],
    [{ NODE_OPTIONS: '--no-warnings --inspect=0' }, '--inspect'],
  ] as const)
    it(`[SU-07] refuses for production ${JSON.stringify(env)}, which development allows`, () => {
      expect(refusal({ ...production, ...env }))
        .contains(says)
        .contains('NODE_ENV=production');
      readConfig({ ...production, ...env, NODE_ENV: 'development' });
    });

  it('[SU-07] refuses a short METRICS_TOKEN and does not show it', () => {
    expect(refusal({ METRICS_TOKEN: 'geheim' }))
      .contains('METRICS_TOKEN')
      .not.contains('geheim');
  });

  for (const [name, text, expected] of [
    ['COLLECTION_CODE_FOR', 'high_value, controlled', ['high_value', 'controlled']],
    ['COLLECTION_CODE_FOR', 'all', ['all']],
    ['COLLECTION_CODE_FOR', 'none', []],
    ['COLLECTION_CODE_FOR', 'all,controlled', undefined],
    ['COLLECTION_CODE_FOR', 'controlled,controlled', undefined],
    ['COLLECTION_CODE_FOR', 'dear', undefined],
    ['HIGH_VALUE_FROM', '100 GBP', { amount: 100, currency: 'GBP' }],
    ['HIGH_VALUE_FROM', '99.9999 EUR', { amount: 99.9999, currency: 'EUR' }],
    ['HIGH_VALUE_FROM', '0 GBP', undefined],
    ['HIGH_VALUE_FROM', '100', undefined],
    ['HIGH_VALUE_FROM', '100 gbp', undefined],
    ['HIGH_VALUE_FROM', '£100', undefined],
  ] as const)
    it(`${name}=${text} is ${expected === undefined ? 'refused' : 'taken'}`, () => {
      const read = () => readConfig({ HIGH_VALUE_FROM: '1 GBP', [name]: text });
      if (expected === undefined) expect(read).throw(ConfigError, name);
      else if (name === 'HIGH_VALUE_FROM') expect(read().highValueFrom).eql(expected);
      else expect([...read().collectionCodeFor]).eql(expected);
    });

  it('high_value needs an amount, and codes a way to send them where there are patients', () => {
    expect(() => readConfig({ COLLECTION_CODE_FOR: 'high_value' })).throw(ConfigError, 'HIGH_VALUE_FROM');
    const live = { NODE_ENV: 'production', COLLECTION_CODE_FOR: 'all' };
    expect(() => readConfig(live)).throw(ConfigError, 'SMS_URL');
    expect(readConfig({ ...live, SMS_URL: 'https://sms.example.org/' }).collectionCodeFor.has('all')).equal(true);
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
