/** Where prescriptions are, as the Spine's tracker says; what it says of those that are stored here is kept. eps/REFERENCE 12.6 */

import { translateTrackerAnswer } from '../../mapping/eps/inbound/tracker.ts';
import {
  filterTasks,
  type TrackerParameters,
  trackerRequest,
  validateTrackerQuery,
} from '../../mapping/eps/inbound/tracker-query.ts';
import { isNode, type Node } from '../../mapping/eps/node.ts';
import { lastUpdatedOf, statusOf, toEpsOutcome } from '../../mapping/eps/outcome.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from '../../mapping/eps/systems.ts';
import type { FhirResource } from '../../mapping/transaction-bundle.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { type Issue, operationOutcome } from '../../standards/fhir/outcome.ts';
import type { EpsAnswer } from './answer.ts';
import { type Effect, identifierIn, isLastOf, itemEffect } from './effects.ts';
import type { EpsSender } from './sender.ts';

export type { TrackerParameters };
export type EpsTrack = (sender: EpsSender, parameters: TrackerParameters) => Promise<EpsAnswer>;

interface Who {
  readonly fromAsid: string;
  readonly userId?: string | undefined;
  readonly roleProfileId?: string | undefined;
}

export interface EpsTrackServices {
  /** Undefined when it could not be asked; `text` is its JSON. */
  readonly tracker: {
    summary(
      who: Who,
      query: { readonly nhsNumber: string; readonly prescriptionStatus?: string; readonly earliestDate?: string },
    ): Promise<{ readonly text: string } | undefined>;
    details(who: Who, prescriptionId: string, issueNumber: number): Promise<{ readonly text: string } | undefined>;
  };
  /** Writes what follows for the record. */
  readonly note: (effects: readonly Effect[]) => Promise<void>;
}

export function createEpsTrack({ tracker, note }: EpsTrackServices): EpsTrack {
  return async ({ context }, parameters) => {
    const issues = validateTrackerQuery(parameters);
    if (issues.length > 0) return refused(issues, context.now);
    const { service, query } = trackerRequest(parameters);
    const answer =
      service === 'nhs111itemdetails'
        ? await tracker.details(context, query['prescriptionId'] ?? '', Number(query['issueNumber'] ?? 1))
        : await tracker.summary(context, query as { readonly nhsNumber: string }); // a valid query has one
    if (answer === undefined) return { status: 502, body: { ...operationOutcome([NO_TRACKER]) } };
    const { status, body } = translateTrackerAnswer(parseJson(answer.text), context);
    await note(effectsIn(body));
    return { status, body: filterTasks(body, parameters) };
  };
}

const refused = (issues: readonly Issue[], now: number): EpsAnswer => ({
  status: statusOf(issues),
  body: { ...toEpsOutcome(issues, lastUpdatedOf(undefined, now)) },
});

const NO_TRACKER: Issue = {
  severity: 'error',
  code: 'transient',
  diagnostics: "The Spine's tracker did not answer: ask again in a while",
};

/** Of details alone: a summary does not tell of items. */
function effectsIn(bundle: FhirResource): readonly Effect[] {
  const nodes = (parent: Node | undefined, name: string): readonly Node[] => {
    const list = parent?.[name];
    return Array.isArray(list) ? list.filter(isNode) : [];
  };
  const tasks = nodes(bundle, 'entry').flatMap(({ resource }) => (isNode(resource) ? [resource] : []));
  return tasks.flatMap((task) =>
    nodes(task, 'input').flatMap((input): readonly Effect[] => {
      const reference = isNode(input['valueReference']) ? input['valueReference'] : undefined;
      const identifier = reference && identifierIn({ identifier: [reference['identifier']] }, ID_SYSTEM.orderItem);
      const information = nodes(input, 'extension').find(({ url }) => url === EXTENSION.dispensingInformation);
      const coding = nodes(information, 'extension').find(({ url }) => url === 'dispenseStatus')?.['valueCoding'];
      const at = nodes(information, 'extension').find(({ url }) => url === 'dateLastDispensed')?.['valueDateTime'];
      if (identifier === undefined || !isNode(coding) || coding['system'] !== CODE_SYSTEM.itemStatus) return [];
      const dispensedAt = typeof at === 'string' ? at : undefined;
      return [itemEffect(identifier, String(coding['code']), { dispensedAt, isLast: isLastOf(task) })];
    }),
  );
}
