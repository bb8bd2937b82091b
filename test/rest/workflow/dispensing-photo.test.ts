/** A photo at dispensing, over the running server: kept whole or not at all, and seen by whom the dispensing is. MISSION M10; SECURITY CP-01, CP-22, DP-07 */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { OpenStore } from '../../../src/postgres/store.ts';
import { privacyConsent } from '../../support/consents.ts';
import { withClient } from '../../support/database.ts';
import {
  type Answer,
  codeOf,
  makePharmacyWorld,
  type PharmacyWorld,
  type Prescribed,
  type PrescribeOptions,
} from '../../support/pharmacy.ts';
import { chunk, jpegOf, pngOf, segment } from '../../support/photos.ts';
import { startTestServerAndStore, type TestServer } from '../../support/server.ts';

const LIMITS = 'read=off,write=off,verify=off,search=off';
const BYTES_MAX = 5000;
const SECRET = '51.5007N 0.1246W Nell Ashworth';
const EXIF = segment(0xe1, Buffer.from(`Exif\0\0${SECRET}`));
/** So many bytes, that no other photo has. */
const photoOf = (bytes: number): Buffer => {
  const rest = bytes - jpegOf([], Buffer.alloc(0)).length;
  return jpegOf([], Buffer.alloc(rest, randomUUID().replaceAll('-', '')));
};
const JPEG = jpegOf([]);
const given = (bytes: Buffer, content_type = 'image/jpeg') => ({
  photo: { content_type, data: bytes.toString('base64') },
});
const IDENTITY = { patient_id_type: 'nin', patient_id_number: '12345678901' };

interface Counter {
  readonly server: TestServer;
  readonly store: OpenStore;
  readonly world: PharmacyWorld;
  readonly a: Record<string, string>;
  dispense(p: Prescribed, more?: object, headers?: Record<string, string>): Promise<Answer>;
  fhir(path: string, headers?: Record<string, string>): Promise<Answer>;
}

async function openCounter(env: Record<string, string>): Promise<Counter> {
  const { server, store } = await startTestServerAndStore({ env: { RATE_LIMITS: LIMITS, ...env } });
  const world = await makePharmacyWorld(server);
  const a = await world.pharmacist('pharmacy-a');
  return {
    server,
    store,
    world,
    a,
    dispense: (p, more = {}, headers = a) =>
      world.call('POST', '/api/prescriptions/dispense', headers, {
        prescription_id: p.token.tokenId,
        nonce: p.token.nonce,
        pharmacy_code: codeOf('pharmacy-a'),
        pharmacist_name: 'Piotr Zielinski',
        ...more,
      }),
    fhir: (path, headers = server.bearer) => world.call('GET', `/fhir/R4/${path}`, headers),
  };
}

const photoFrom = async ({ server }: Counter, p: Prescribed, headers: Record<string, string>) => {
  const answer = await fetch(`${server.url}/api/prescriptions/${p.token.tokenId}/photo`, { headers });
  const bytes = Buffer.from(await answer.arrayBuffer());
  return { status: answer.status, type: answer.headers.get('content-type'), bytes };
};

describe('a photo at dispensing', function () {
  this.timeout(240_000);
  let at: Counter;
  let b: Record<string, string>;
  let nell: Record<string, string>;
  let tobe: Record<string, string>;
  before(async () => {
    at = await openCounter({ DISPENSING_PHOTO: 'optional', DISPENSING_PHOTO_BYTES: String(BYTES_MAX) });
    b = await at.world.pharmacist('pharmacy-b');
    nell = await at.world.patient('patient-nell');
    tobe = await at.world.patient('patient-tobe');
  });
  after(() => at.server.stop());

  const taken = async (photo: object = given(JPEG), options: PrescribeOptions = {}): Promise<Prescribed> => {
    const made = await at.world.prescribe(options);
    const answer = await at.dispense(made, photo);
    expect(answer.status, JSON.stringify(answer.json)).equal(200);
    return made;
  };
  const newestMedia = async (): Promise<Answer['json']> =>
    (await at.fhir('Media?_sort=-_lastUpdated&_count=1')).json.entry[0].resource;

  for (const [name, type, dirty, clean] of [
    ['a JPEG', 'image/jpeg', jpegOf([EXIF, segment(0xfe, Buffer.from(SECRET))]), JPEG],
    ['a PNG', 'image/png', pngOf([chunk('tEXt', Buffer.from(`Author\0${SECRET}`))]), pngOf([])],
  ] as const)
    it(`[DP-07] keeps ${name}, without where and by whom it was taken`, async () => {
      const made = await taken(given(dirty, type));
      const seen = await photoFrom(at, made, at.a);
      expect([seen.status, seen.type]).eql([200, type]);
      expect(seen.bytes).eql(clean);
      const media = await newestMedia();
      const { json: task } = await at.fhir(`Task/${made.taskId}`);
      expect(media.partOf[0].reference).equal(task.output[0].valueReference.reference);
      expect(media).deep.include({ subject: { reference: 'Patient/patient-nell' } });
      expect(media.content).deep.include({ contentType: type, size: clean.length });
      const checked = await fetch(`${at.server.fhirBaseUrl}/Media/$validate`, {
        method: 'POST',
        headers: { ...at.server.bearer, 'content-type': 'application/fhir+json' },
        body: JSON.stringify(media),
      });
      expect(await checked.text()).not.match(/"severity":"(error|fatal)"/);
    });

  it('[CP-01] [CP-22] is seen by whom the dispensing is, and by nobody else', async () => {
    const made = await taken();
    const media = await newestMedia();
    const binary = media.content.url;
    for (const headers of [at.a, nell]) expect((await photoFrom(at, made, headers)).bytes).eql(JPEG);
    for (const headers of [b, tobe]) {
      expect((await photoFrom(at, made, headers)).status, 'as one that never was').equal(404);
      for (const path of [`Media/${media.id}`, binary]) expect((await at.fhir(path, headers)).status).oneOf([403, 404]);
    }
    expect((await photoFrom(at, made, {})).status).equal(401);
    const own = await Promise.all([`Media/${media.id}`, binary].map((path) => at.fhir(path, nell)));
    expect(own.map(({ status }) => status)).eql([200, 200]);
    const found = await at.fhir('Media', tobe);
    expect(found.json.entry ?? []).eql([]);
  });

  it('[CP-03] a patient who denies the pharmacy denies it the photo', async () => {
    const made = await taken();
    const provision = {
      type: 'deny',
      actor: [{ role: { coding: [{ code: 'IRCP' }] }, reference: { reference: 'Organization/pharmacy-a' } }],
    };
    const consent = privacyConsent('patient-nell', provision, { id: 'denies', dateTime: '2026-01-01' });
    await at.world.put(consent);
    try {
      expect((await photoFrom(at, made, at.a)).status).equal(404);
    } finally {
      await at.world.put({ ...consent, status: 'inactive' });
    }
    expect((await photoFrom(at, made, at.a)).status).equal(200);
  });

  it('there is none where none was taken, or nothing was dispensed', async () => {
    const made = await at.world.prescribe();
    expect((await photoFrom(at, made, at.a)).status).equal(404);
    expect((await at.dispense(made)).status).equal(200);
    expect((await photoFrom(at, made, at.a)).status).equal(404);
  });

  it(`of ${BYTES_MAX} bytes is taken`, async () => {
    const photo = photoOf(BYTES_MAX);
    expect(photo.length).equal(BYTES_MAX);
    expect((await photoFrom(at, await taken(given(photo)), at.a)).bytes).eql(photo);
  });

  const base64 = JPEG.toString('base64');
  const WRONG: readonly (readonly [string, object, number, string | undefined])[] = [
    ['of a byte too many', given(photoOf(BYTES_MAX + 1)), 422, 'photo-large'],
    ['that is a PNG and says JPEG', given(pngOf([])), 422, 'photo-format'],
    ['that is a JPEG and says PNG', given(JPEG, 'image/png'), 422, 'photo-format'],
    ['that is a page', given(Buffer.from('<html><script>alert(1)</script></html>')), 422, 'photo-format'],
    ['that is cut off', given(JPEG.subarray(0, -5)), 422, 'photo-broken'],
    ['that is empty', { photo: { content_type: 'image/jpeg', data: '' } }, 422, 'photo-base64'],
    ['that is no base64', { photo: { content_type: 'image/jpeg', data: '%%%%' } }, 422, 'photo-base64'],
    [
      'with line breaks',
      { photo: { content_type: 'image/jpeg', data: `${base64.slice(0, 76)}\n${base64.slice(76)}` } },
      422,
      'photo-base64',
    ],
    ['as a GIF', given(JPEG, 'image/gif'), 400, undefined],
    ['with a name', { photo: { content_type: 'image/jpeg', data: base64, name: 'nell.jpg' } }, 400, undefined],
    ['that is a text', { photo: base64 }, 400, undefined],
  ];
  for (const [name, body, status, code] of WRONG)
    it(`refuses one ${name}, and nothing is dispensed`, async () => {
      const made = await at.world.prescribe();
      const answer = await at.dispense(made, body);
      expect(answer.status, JSON.stringify(answer.json).slice(0, 300)).equal(status);
      if (code !== undefined) expect(answer.json.code).equal(code);
      expect(JSON.stringify(answer.json), 'nothing of it comes back').not.include(base64.slice(0, 40));
      expect((await at.fhir(`Task/${made.taskId}`)).json.status).equal('ready');
    });

  it('[RX-04] of twenty at the same moment, each with a photo, one is kept', async () => {
    const made = await at.world.prescribe();
    const count = async (): Promise<number> => (await at.fhir('Media?_summary=count')).json.total;
    const before = await count();
    const answers = await Promise.all(Array.from({ length: 20 }, () => at.dispense(made, given(photoOf(1000)))));
    expect(answers.filter(({ status }) => status === 200)).length(1);
    expect(answers.filter(({ status }) => status === 409)).length(19);
    expect((await count()) - before).equal(1);
  });

  it('what fails to be dispensed leaves no photo', async () => {
    const before = (await at.fhir('Media?_summary=count')).json.total;
    const made = await at.world.prescribe({
      medication: 'Oxycodone 5mg capsules',
      priority: 'controlled',
      schedule: '2',
    });
    const answer = await at.dispense(made, { ...given(JPEG), ...IDENTITY });
    expect([answer.status, answer.json.code]).eql([409, 'register-balance']);
    expect((await at.fhir('Media?_summary=count')).json.total).equal(before);
  });

  it('[RX-05] [DP-07] lies in its Binary alone: not with the Idempotency-Key, the trail, or what is queued', async () => {
    const photo = photoOf(2000);
    const made = await at.world.prescribe();
    const headers = { ...at.a, 'idempotency-key': randomUUID() };
    const [first, second] = [
      await at.dispense(made, given(photo), headers),
      await at.dispense(made, given(photo), headers),
    ];
    expect([first.status, second.status, second.json]).eql([200, 200, first.json]);
    // Some of its bytes, wherever in base64 and in hex they begin.
    const part = photo.subarray(900, 960).toString('base64');
    const hex = photo.subarray(900, 940).toString('hex');
    await withClient(at.server.database.connection('owner'), async (client) => {
      const { rows } = await client.query(
        `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('mortar', 'audit', 'identity') or tablename in ('task', 'communication', 'provenance', 'medicationdispense', 'media')`,
      );
      for (const { name } of rows) {
        const found = await client.query(
          `select count(*)::int as n from ${name} t where position($1 in t::text) > 0 or position($2 in t::text) > 0`,
          [part, hex],
        );
        expect(found.rows[0].n, name).equal(0);
      }
      const kept = await client.query('select count(*)::int as n from fhir.binary where position($1 in content) > 0', [
        part,
      ]);
      expect(kept.rows[0].n).equal(1);
    });
  });

  it('[DP-04] goes with the record of the patient', async () => {
    await at.world.put({ resourceType: 'Patient', id: 'leaves', name: [{ family: 'Leaves' }] });
    await taken(given(JPEG), { patientId: 'leaves', patient: 'Leaves' });
    const { resources } = await at.store.removal.review('leaves');
    expect(resources).include({ MedicationDispense: 1, Media: 1, Binary: 1 });
  });

  it('[AU-01] who looks at it is in the trail', async () => {
    const made = await taken();
    await photoFrom(at, made, nell);
    const { json } = await at.world.call('GET', '/api/v2/audit/events?kind=read&_count=20', at.server.bearer);
    expect(JSON.stringify(json)).include('dispensing-photo');
  });
});

describe('photos where they are required, and where they are off', function () {
  this.timeout(240_000);
  let at: Counter;
  afterEach(() => at.server.stop());

  it('required for controlled drugs: asked for there, optional elsewhere, and the queue says so', async () => {
    at = await openCounter({ DISPENSING_PHOTO: 'required', DISPENSING_PHOTO_FOR: 'controlled' });
    const { world, a } = at;
    const controlled = await world.prescribe({
      medication: 'Oxycodone 5mg capsules',
      priority: 'controlled',
      schedule: '2',
      quantity: 5,
    });
    const plain = await world.prescribe();
    const { json } = await world.call('GET', '/api/pharmacy/queue', a);
    const asked = json.prescriptions.map((one: Answer['json']) => [one.id, one.requires_photo]);
    expect(Object.fromEntries(asked)).eql({ [controlled.taskId]: true, [plain.taskId]: false });
    const without = await at.dispense(controlled, IDENTITY);
    expect([without.status, without.json.code]).eql([422, 'photo-missing']);
    const byFhir = await world.call('POST', '/fhir/R4/MedicationDispense', a, {
      resourceType: 'MedicationDispense',
      status: 'completed',
      medicationCodeableConcept: { text: 'Oxycodone 5mg capsules' },
      subject: { reference: 'Patient/patient-nell' },
      performer: [{ actor: { reference: 'Organization/pharmacy-a' } }],
      authorizingPrescription: [{ reference: `MedicationRequest/${controlled.orderId}` }],
    });
    expect(byFhir.status).equal(422);
    expect(JSON.stringify(byFhir.json)).include('photo-missing');
    await world.call('POST', '/api/pharmacy/register/entries', a, {
      product: 'oxycodone 5mg capsules',
      type: 'stock-in',
      quantity: 10,
      reason: 'Delivery note 19',
    });
    expect((await at.dispense(controlled, { ...IDENTITY, ...given(JPEG) })).status).equal(200);
    expect((await at.dispense(plain)).status).equal(200);
  });

  it('off: one that is sent is refused in so many words, small or large, and nothing is dispensed', async () => {
    at = await openCounter({});
    const made = await at.world.prescribe();
    for (const photo of [JPEG, photoOf(1_900_000)]) {
      const answer = await at.dispense(made, given(photo));
      expect([answer.status, answer.json.code]).eql([422, 'photo-off']);
    }
    expect((await at.fhir(`Task/${made.taskId}`)).json.status).equal('ready');
    expect((await at.dispense(made)).status).equal(200);
  });
});
