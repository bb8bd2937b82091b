/** Sig from dosageInstruction (reference section 6). What was written stands; a text is made only where there is none. */
import { doseToText } from '../../standards/fhir/dosage/dose-to-text.ts';
import { findSentSig, hasSentSig } from './dosage.ts';
import { type Json, textAt } from './place.ts';
import { structuredParts } from './sig-from-dosage.ts';
import type { Target } from './target.ts';

/** Several texts are one Sig, joined as they stand. */
export function sigToScript(dosages: readonly Json[], target: Target): void {
  const text = textOf(dosages);
  if (text === '') return;
  const sent = findSentSig(dosages, text);
  if (sent) {
    target.children.push(sent);
    return;
  }
  target.put('Sig/SigText', text);
  // A structure that came with another text says another dose than this one.
  if (!hasSentSig(dosages)) target.child('Sig').children.push(...structuredParts(text, dosages));
}

/** A structure without words is put into words, if all of it can be. */
function textOf(dosages: readonly Json[]): string {
  const texts = dosages.flatMap((dosage) => textAt(dosage, 'text') ?? []);
  if (texts.length > 0 || dosages.length === 0) return texts.join('; ');
  return doseToText(dosages).value ?? '';
}
