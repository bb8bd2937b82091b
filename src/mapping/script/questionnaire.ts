/**
 * Question sets of prior authorisation and REMS as Questionnaire and QuestionnaireResponse (reference section 4.4), for
 * people to read and answer. The message itself keeps its question set as residue, so that nothing of it is lost.
 */
import { codeSystemUrl } from '../../standards/fhir/canonical.ts';
import { DATE, DATE_TIME, DECIMAL } from './codecs.ts';
import { type MessageBundle, resourceOf } from './context.ts';
import type { Json } from './place.ts';
import { Source } from './source.ts';

const CHOICES = codeSystemUrl('script-choice');

/** Where a transaction may have its question set. */
const PLACES = [
  'Response/ResponseStatus/Open/QuestionSet',
  'Response/ResponseStatus/Closed/QuestionSet',
  'Request/SolicitedModel/QuestionSet',
  'Request/UnSolicitedModel/QuestionSet',
];

/** Adds what there is; returns the references to it, the Questionnaire first. Looks only, and takes nothing. */
export function mapQuestions(
  transaction: Source,
  subject: string | undefined,
  bundle: MessageBundle,
): readonly string[] {
  const set = PLACES.map((path) => transaction.find(path)).find((one) => one !== undefined);
  const questions = set?.all('Question') ?? [];
  if (!set || questions.length === 0) return [];
  const id = set.peek('Header/QuestionSetID') ?? bundle.messageId;
  const title = set.peek('Header/QuestionSetTitle');
  const description = set.peek('Header/QuestionSetDescription');
  const items = questions.map((one, at) => itemOf(one, at));
  const questionnaire = bundle.addByWords(
    resourceOf('Questionnaire', {
      status: 'active',
      ...(title !== undefined && { title }),
      ...(description !== undefined && { description }),
      item: items,
    }),
    'Questionnaire',
    // Who answers sends the questions along: the payer's own stay as the payer asked them.
    bundle.owners.payer === bundle.sender ? bundle.sender : bundle.messageId,
    id,
  );
  const answered = questions.flatMap((one, at) => {
    const answer = answersOf(one);
    return answer.length === 0 ? [] : [{ linkId: linkIdOf(one, at), answer }];
  });
  if (answered.length === 0) return [questionnaire];
  const response = bundle.addByWords(
    resourceOf('QuestionnaireResponse', {
      status: 'completed',
      ...(subject !== undefined && { subject: { reference: subject } }),
      item: answered,
    }),
    'QuestionnaireResponse',
    bundle.messageId,
  );
  return [questionnaire, response];
}

const linkIdOf = (question: Source, at: number): string => question.peek('QuestionID') ?? String(at + 1);

function itemOf(question: Source, at: number): Json {
  const select = question.find('QuestionType/Select');
  const text = question.peek('QuestionText');
  const options = (select?.all('Choice') ?? []).flatMap((choice) => {
    const code = choice.peek('ChoiceID');
    const display = choice.peek('ChoiceText');
    return code === undefined ? [] : [{ valueCoding: { system: CHOICES, code, ...(display && { display }) } }];
  });
  return {
    linkId: linkIdOf(question, at),
    ...(text !== undefined && { text }),
    type: typeOf(question),
    ...(select?.peek('SelectMultiple') === 'Y' && { repeats: true }),
    ...(options.length > 0 && { answerOption: options }),
  };
}

function typeOf(question: Source): string {
  if (question.find('QuestionType/Select')) return 'choice';
  if (question.find('QuestionType/Numeric')) return 'decimal';
  if (question.find('QuestionType/Date'))
    return question.peek('QuestionType/Date/IsDateTimeRequired') === 'Y' ? 'dateTime' : 'date';
  return 'text';
}

/** Answers by the names the public model has for them; one in another shape stays in the message. */
function answersOf(question: Source): readonly Json[] {
  return ['Select', 'Date', 'Numeric', 'FreeText'].flatMap((kind) =>
    (question.find(`QuestionType/${kind}`)?.all('Answer') ?? []).flatMap((answer) => {
      const choice = answer.peek('PrescriberProvidedAnswer/ChoiceID') ?? answer.peek('ChoiceID');
      const texts = leavesOf(answer);
      const value = choice ?? texts[0];
      if (value === undefined) return [];
      return [answerOf(kind, value, question)];
    }),
  );
}

function answerOf(kind: string, text: string, question: Source): Json {
  if (kind === 'Select') {
    const option = question
      .find('QuestionType/Select')
      ?.all('Choice')
      .find((one) => one.peek('ChoiceID') === text || one.peek('ChoiceText') === text);
    const code = option?.peek('ChoiceID');
    const display = option?.peek('ChoiceText');
    return code === undefined
      ? { valueString: text }
      : { valueCoding: { system: CHOICES, code, ...(display && { display }) } };
  }
  const number = kind === 'Numeric' ? DECIMAL.decode(text) : undefined;
  if (number !== undefined) return { valueDecimal: number };
  const isDate = kind === 'Date' && DATE.decode(text) !== undefined;
  if (isDate) return { valueDate: text };
  const time = kind === 'Date' ? DATE_TIME.decode(text) : undefined;
  return time === undefined ? { valueString: text } : { valueDateTime: time };
}

/** Texts of all leaves, in order. */
function leavesOf(source: Source): readonly string[] {
  const children = source.element.children.filter((node) => typeof node !== 'string');
  if (children.length === 0) return source.text === undefined ? [] : [source.text];
  return children.flatMap((child) => leavesOf(new Source(child)));
}
