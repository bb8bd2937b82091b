import { expect } from 'chai';
import { mapToFhir, mapToScript } from '../../../src/mapping/script/map-message.ts';
import { normaliseVersion } from '../../../src/mapping/script/normalise-version.ts';
import { getAt, objectsAt, textAt } from '../../../src/mapping/script/place.ts';
import { TRANSACTIONS } from '../../../src/mapping/script/transaction-table.ts';
import type { TransactionBundle } from '../../../src/mapping/transaction-bundle.ts';
import { formatJson, parseJson } from '../../../src/standards/fhir/json.ts';
import { type Issue, isError } from '../../../src/standards/fhir/outcome.ts';
import { createValidator } from '../../../src/standards/fhir/validation/validator.ts';
import { checkStructure } from '../../../src/standards/script/check.ts';
import { readScript } from '../../../src/standards/script/read.ts';
import { canonicalText, formatScript, scriptElement } from '../../../src/standards/script/write.ts';
import { generateElement } from '../../standards/script/generate-message.ts';
import { publishedSamples, SAMPLES_NEEDED, scriptFixture, scriptFixtureNames } from '../../standards/script/samples.ts';
import { testDefinitions } from '../../support/definitions.ts';
import { broughtOf, changesOf, codeAt, isChange, partsOf } from './entries.ts';

const CONTEXT = { receivedAt: Date.UTC(2026, 0, 15, 16, 31) };
const MADE = { quick: 4, ci: 40, long: 1_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 4;

function mapped(raw: Buffer | string): { readonly bundle: TransactionBundle; readonly issues: readonly Issue[] } {
  const { message } = readScript(Buffer.from(raw));
  if (!message) throw new Error('no message');
  const { value, issues } = mapToFhir(message, CONTEXT);
  if (!value) throw new Error(formatJson(issues));
  return { bundle: value, issues };
}
const taskOf = (raw: Buffer | string) => {
  const { bundle, issues } = mapped(raw);
  return { bundle, issues, task: broughtOf(bundle, 'Task')[0] };
};
const fixture = (name: string): string => scriptFixture(name).toString();

/** The message as it comes back from its Bundle alone, through JSON as a store would keep it. */
function back(raw: Buffer): string {
  const { bundle } = mapped(raw);
  const { value, issues } = mapToScript(parseJson(formatJson(bundle)), { forwardSignature: true });
  expect(issues.filter(isError)).eql([]);
  return value ?? '';
}
const canonical = (raw: Buffer | string): string => {
  const { message } = readScript(Buffer.from(raw));
  return message ? canonicalText(message.root, NEVER_KEPT) : '';
};
/** Credentials (reference section 2.2). */
const NEVER_KEPT = new Set(['Header/Security']);

/** An empty element is an absent one (reference section 3). */
function pruned(text: string): string {
  const less = text.replaceAll(/<(\w+)><\/\1>/g, '');
  return less === text ? text : pruned(less);
}

const isWhole = (raw: Buffer): boolean => {
  const { message, issues } = readScript(raw);
  return message?.version.readAs === '2017071' && ![...issues, ...checkStructure(message)].some(isError);
};

describe('mapping › script › transactions', () => {
  describe('SCRIPT → FHIR → SCRIPT loses no leaf', () => {
    for (const name of scriptFixtureNames().filter((one) => isWhole(scriptFixture(one))))
      it(name, () => expect(canonical(back(scriptFixture(name)))).equal(canonical(scriptFixture(name))));
    const samples = publishedSamples();
    if (samples === undefined) it(SAMPLES_NEEDED);
    else
      for (const { id, raw } of samples.filter((one) => isWhole(one.raw)))
        it(`published ${id}`, () => {
          // A time without zone is read as UTC, and written so (reference section 2.2).
          const zoned = raw
            .toString(id === 'edge-utf16' ? 'utf16le' : 'utf8')
            .replace(/(<SentTime>[\d:T.-]*\d)</, '$1Z<');
          expect(canonical(back(raw))).equal(canonical(zoned));
        });
  });

  describe('resources are valid', () => {
    const validate = createValidator(testDefinitions());
    for (const name of scriptFixtureNames())
      it(name, () => {
        const { message } = readScript(scriptFixture(name));
        const { value } = message ? mapToFhir(message, CONTEXT) : {};
        for (const entry of (value?.entry ?? []).filter((one) => !isChange(one)))
          expect(validate(entry.resource), entry.resource.resourceType).eql([]);
      });
  });

  describe(`${MADE} messages of each kind made from the element model come back as they were`, () => {
    const base = readScript(scriptFixture('newrx-basic')).message?.root;
    const header = (base?.children ?? []).filter((node) => typeof node !== 'string' && node.name === 'Header');
    for (const { kind } of TRANSACTIONS)
      it(kind, function () {
        this.timeout(300_000);
        for (let seed = 0; seed < MADE; seed += 1) {
          const transaction = generateElement(kind, seed, new Set(['SocialSecurity']));
          const message = {
            ...scriptElement('Message', [...header, scriptElement('Body', [transaction])]),
            attributes: base?.attributes ?? [],
          };
          const raw = Buffer.from(formatScript(message).value ?? '');
          expect(pruned(canonical(back(raw))), `seed ${seed}`).equal(pruned(canonical(raw)));
        }
      });
  });

  describe('2023011, where a setting asks for it, reads as 2017071', () => {
    for (const name of ['newrx-two-coverages', 'rxfill-partial', 'rxtransferrequest-all', 'rxrenewalresponse-replace'])
      it(name, () => {
        const { bundle } = mapped(scriptFixture(name));
        const { value } = mapToScript(bundle, { writeAs: '2023011' });
        const { message } = readScript(Buffer.from(value ?? ''));
        expect(message?.version).eql({ readAs: '2023011', found: 'stated' });
        expect(value).include('<Names><Name>').include('<AdministrativeGender>');
        const { message: before } = readScript(scriptFixture(name));
        expect(message && canonicalText(normaliseVersion(message).transaction)).equal(
          before && canonicalText(before.transaction),
        );
      });
  });

  describe('what each becomes', () => {
    for (const [name, status, outcome, reason] of [
      ['newrxrequest', 'requested', undefined, undefined],
      ['newrxresponsedenied', 'rejected', undefined, 'AM'],
      ['rxchangerequest-generic', 'requested', undefined, undefined],
      ['rxchangeresponse-approved', 'completed', 'Approved', undefined],
      ['rxchangeresponse-approvedwithchanges', 'completed', 'ApprovedWithChanges', undefined],
      ['rxchangeresponse-denied', 'rejected', 'Denied', 'AL'],
      ['rxchangeresponse-validated', 'completed', 'Validated', 'GM'],
      ['rxrenewalrequest', 'requested', undefined, undefined],
      ['rxrenewalresponse-approved', 'completed', 'Approved', undefined],
      ['rxrenewalresponse-denied', 'rejected', 'Denied', 'AM'],
      ['rxrenewalresponse-newrxtofollow', 'rejected', 'DeniedNewPrescriptionToFollow', undefined],
      ['rxrenewalresponse-replace', 'completed', 'Replace', undefined],
      ['cancelrx', 'requested', undefined, undefined],
      ['cancelrxresponse-approved', 'completed', 'Approved', undefined],
      ['cancelrxresponse-denied-transferred', 'rejected', 'Denied', 'AR'],
      ['rxfill-dispensed', 'completed', 'Dispensed', undefined],
      ['rxfill-partial', 'completed', 'PartiallyDispensed', 'FW'],
      ['rxfill-notdispensed', 'rejected', 'NotDispensed', 'FS'],
      ['rxfill-transferred', 'completed', 'Transferred', undefined],
      ['rxtransferconfirm', 'completed', undefined, undefined],
      ['rxhistoryresponse-denied', 'rejected', 'Denied', 'BB'],
      ['painitiationresponse-open', 'in-progress', 'Open', undefined],
      ['painitiationresponse-closed', 'completed', 'Closed', 'CC'],
      ['paresponse-approved', 'completed', 'Approved', undefined],
      ['paresponse-denied', 'rejected', 'Denied', undefined],
      ['paresponse-inprocess', 'in-progress', 'InProcess', undefined],
      ['remsinitiationresponse-closed', 'failed', 'Closed', 'EM'],
      ['remsresponse-approved', 'completed', 'Approved', undefined],
      ['status-000', 'completed', undefined, '000'],
      ['status-010', 'completed', undefined, '010'],
      ['verify-010', 'completed', undefined, '010'],
      ['error-600', 'failed', undefined, '600'],
      ['error-900', 'failed', undefined, '900'],
      ['v106-refillresponse-denied', 'rejected', 'Denied', 'AM'],
      ['v106-rxfill-notfilled', 'rejected', 'NotDispensed', undefined],
      ['v106-error', 'failed', undefined, '900'],
      ['v2023-status', 'completed', undefined, '000'],
    ] as const)
      it(`${name}: Task ${status}`, () => {
        const { task } = taskOf(fixture(name));
        expect([textAt(task, 'status'), codeAt(task, 'businessStatus')]).eql([status, outcome]);
        if (reason !== undefined) expect(codeAt(task, 'statusReason')).equal(reason);
      });

    for (const [name, changes] of [
      ['rxchangeresponse-approved', ['Task completed', 'MedicationRequest stopped']],
      ['rxchangeresponse-denied', ['Task rejected']],
      ['rxchangeresponse-validated', ['Task completed']],
      ['rxrenewalresponse-approved', ['Task completed', 'MedicationRequest completed']],
      ['rxrenewalresponse-replace', ['Task completed', 'MedicationRequest stopped']],
      ['rxrenewalresponse-denied', ['Task rejected']],
      ['rxrenewalresponse-newrxtofollow', ['Task rejected']],
      ['cancelrx', []],
      ['cancelrxresponse-approved', ['Task completed', 'MedicationRequest cancelled']],
      ['cancelrxresponse-denied-transferred', ['Task rejected']],
      ['rxfillindicatorchange', ['MedicationRequest extension']],
      ['rxfill-dispensed', []],
    ] as const)
      it(`${name} changes ${changes.join(', ') || 'nothing that stands'}`, () =>
        expect(changesOf(mapped(fixture(name)).bundle)).eql(changes));

    it('an approved change is a new order, as the answer has it and not as it was asked for', () => {
      const { bundle, task } = taskOf(fixture('rxchangeresponse-approvedwithchanges'));
      const [order] = broughtOf(bundle, 'MedicationRequest');
      expect([textAt(order, 'status'), textAt(order, 'intent')]).eql(['active', 'order']);
      expect(textAt(order, 'priorPrescription.identifier.value')).equal('RX-2026-000101');
      expect(partsOf(task, 'output')).eql(['MedicationPrescribed']);
      expect(fixture('rxchangeresponse-approvedwithchanges')).include(textAt(order, 'medicationCodeableConcept.text'));
    });

    it('a denied renewal brings no order: its drug is only told', () => {
      const { bundle, task } = taskOf(fixture('rxrenewalresponse-denied'));
      expect(broughtOf(bundle, 'MedicationRequest')).eql([]);
      expect(objectsAt(task, 'contained').map((one) => one['status'])).eql(['unknown']);
    });

    it('alternatives of a change are contained proposals', () => {
      const { task } = taskOf(fixture('rxchangerequest-therapeutic'));
      expect(objectsAt(task, 'contained').map(({ intent }) => intent)).eql(['order', 'proposal', 'proposal']);
      expect(objectsAt(task, 'code.coding').map(({ code }) => code)).eql(['RxChangeRequest', 'T']);
    });

    it('what the prescriber shall confirm is the Task’s reason', () => {
      const { task } = taskOf(fixture('rxchangerequest-prescriber-auth'));
      expect(objectsAt(task, 'reasonCode.coding').map(({ code }) => code)).eql(['B', 'J']);
    });

    it('a fill is a MedicationDispense of the order it names, by the pharmacy that filled it', () => {
      const { bundle } = taskOf(fixture('rxfill-partial'));
      const [dispense] = broughtOf(bundle, 'MedicationDispense');
      const [order] = broughtOf(bundle, 'MedicationRequest');
      expect([textAt(dispense, 'status'), getAt(dispense, 'quantity.value'), codeAt(dispense, 'type')]).eql([
        'completed',
        10,
        'FFP',
      ]);
      const url = bundle.entry.find(({ resource }) => resource === order)?.fullUrl;
      expect(textAt(dispense, 'authorizingPrescription[0].reference')).equal(url);
      expect(textAt(dispense, 'performer[0].actor.reference')).match(/^urn:uuid:/);
    });

    it('a fill finds the order under the number its prescriber gave it', () => {
      const orderUrl = (name: string): string | undefined =>
        mapped(fixture(name)).bundle.entry.find(({ resource }) => resource.resourceType === 'MedicationRequest')
          ?.request.url;
      expect(orderUrl('rxfill-dispensed')).equal(orderUrl('newrx-basic'));
    });

    it('and the same patient, whom a pharmacy mentions and never changes', () => {
      const patient = (name: string) =>
        mapped(fixture(name)).bundle.entry.find(({ resource }) => resource.resourceType === 'Patient');
      expect(patient('rxfill-dispensed')?.fullUrl).equal(patient('newrx-basic')?.fullUrl);
      expect(patient('rxfill-dispensed')?.request.method).equal('POST');
    });

    for (const name of ['rxfill-notdispensed', 'rxfill-transferred'])
      it(`${name} is no dispense`, () => expect(broughtOf(mapped(fixture(name)).bundle, 'MedicationDispense')).eql([]));

    it('a history is dispenses, each of its own', () => {
      expect(broughtOf(mapped(fixture('rxhistoryresponse-approved')).bundle, 'MedicationDispense').length).equal(2);
    });

    it('a prescription that is handed on is an order here, with the refills that remain', () => {
      const [order] = broughtOf(mapped(fixture('rxtransferresponse-approved')).bundle, 'MedicationRequest');
      expect([textAt(order, 'status'), getAt(order, 'ext:script-refills-remaining.valueInteger')]).eql(['active', 3]);
    });

    it('a question set is a Questionnaire, and its answers are a QuestionnaireResponse', () => {
      const { bundle, task } = taskOf(fixture('painitiationresponse-open'));
      const [questionnaire] = broughtOf(bundle, 'Questionnaire');
      expect(objectsAt(questionnaire, 'item').every((one) => textAt(one, 'text') !== undefined)).equal(true);
      expect(partsOf(task, 'output')).eql(['QuestionSet']);
      const answered = mapped(fixture('parequest-solicited')).bundle;
      expect(objectsAt(broughtOf(answered, 'QuestionnaireResponse')[0], 'item').length).greaterThan(0);
      expect(objectsAt(broughtOf(answered, 'Questionnaire')[0], 'item').map((one) => one['linkId'])).include.members(
        objectsAt(broughtOf(answered, 'QuestionnaireResponse')[0], 'item').map((one) => one['linkId']),
      );
    });

    it('a test’s resources say so', () => {
      const raw = fixture('rxfill-dispensed').replace(
        '</SenderSoftware>',
        '</SenderSoftware><TestMessage>1</TestMessage>',
      );
      for (const type of ['MedicationDispense', 'Task'])
        expect(textAt(broughtOf(mapped(raw).bundle, type)[0], 'meta.tag[0].code')).equal('HTEST');
    });

    for (const [title, from, to, status] of [
      ['a Status code nobody knows is no success', '<Code>010', '<Code>777', 'on-hold'],
      ['a Status of many codes is judged by the first', '<Code>010', '<Code>900', 'on-hold'],
    ] as const)
      it(title, () => expect(textAt(taskOf(fixture('status-010').replace(from, to)).task, 'status')).equal(status));

    it('an outcome nobody knows is no approval', () => {
      const raw = fixture('rxrenewalresponse-approved').replaceAll(/<(\/?)Approved(\/?)>/g, '<$1Perhaps$2>');
      const { bundle, task } = taskOf(raw);
      expect([textAt(task, 'status'), broughtOf(bundle, 'MedicationRequest')]).eql(['on-hold', []]);
    });

    it('of two outcomes the denial wins, and it is told', () => {
      const { bundle, task, issues } = taskOf(fixture('edge-response-two-outcomes'));
      expect([textAt(task, 'status'), codeAt(task, 'businessStatus')]).eql(['rejected', 'Denied']);
      expect(broughtOf(bundle, 'MedicationRequest')).eql([]);
      expect(issues.map(({ severity }) => severity)).include('warning');
    });

    it('10.6 is read as the transaction it is today', () => {
      const { message } = readScript(scriptFixture('v106-refillresponse-denied'));
      const read = message && normaliseVersion(message);
      expect(read?.transaction.name).equal('RxRenewalResponse');
    });
  });
});
