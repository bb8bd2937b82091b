/** The last steps of every message that is written: residue put back, empty elements taken out, and the check of what comes in. */
import { type Issue, isError } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { checkStructure } from '../../standards/script/check.ts';
import { readScript } from '../../standards/script/read.ts';
import { formatScript } from '../../standards/script/write.ts';
import type { ToScriptContext } from './envelope.ts';
import type { Json } from './place.ts';
import { restoreResidue } from './residue.ts';
import type { Target } from './target.ts';

const SIGNATURE = 'Message/Header/DigitalSignature';

/** Puts back what of the message had no place in FHIR. A signature goes only with an order that is not changed. */
export function putBack(root: Json, message: Target, { forwardSignature = false }: ToScriptContext): readonly Issue[] {
  let withheld = 0;
  const left = restoreResidue(root, message, (path) => {
    const isWithheld = path.startsWith(SIGNATURE) && !forwardSignature;
    if (isWithheld) withheld += 1;
    return isWithheld;
  });
  return [
    ...(left > 0 ? [warning(`${left} elements kept as residue could not be put back`)] : []),
    ...(withheld > 0
      ? [warning('The signature the order came with is not sent: it signs the message it came in')]
      : []),
  ];
}

/** Elements nothing was written into go; then the message is read again and must be as strict as any that comes in. */
export function finishMessage(message: Target, warnings: readonly Issue[]): Mapped<string> {
  message.prune();
  const { value, issues } = formatScript(message);
  if (value === undefined) return { issues: [...issues, ...warnings] };
  const reading = readScript(Buffer.from(value));
  const faults = reading.message ? checkStructure(reading.message) : reading.issues;
  const all = [...faults, ...warnings];
  return all.some(isError) ? { issues: all } : { value, issues: all };
}

export const warning = (diagnostics: string): Issue => ({ severity: 'warning', code: 'processing', diagnostics });
