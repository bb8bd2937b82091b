/** Recurring parts of V3 acts: relationships, annotations, templates, intervals. */
import type { XmlElement } from '../xml/tree.ts';
import { element, type V3Attributes, type V3Content, valueElement } from './element.ts';
import { codeIn, idIn, SNOMED } from './identifier.ts';
import { OID } from './oid.ts';

/** The schema's own spelling. */
const SEPARABLE = element('seperatableInd', { value: 'true' });
const INSEPARABLE = element('seperatableInd', { value: 'false' });

export const separableInd = (value: boolean): XmlElement => (value ? SEPARABLE : INSEPARABLE);

const PERTINENT: V3Attributes = { contextConductionInd: 'true', typeCode: 'PERT' };

/** A relationship `pertinentInformation…` that conducts context. */
export const pertinent = (name: string, separable: boolean, target: XmlElement): XmlElement =>
  element(name, PERTINENT, separableInd(separable), target);

/** An observation that adds one fact, named by an annotation code. */
export const annotation = (name: string, code: string, ...content: readonly V3Content[]): XmlElement =>
  element(name, OBSERVATION, codeIn('annotation', code), ...content);

export const OBSERVATION: V3Attributes = { classCode: 'OBS', moodCode: 'EVN' };

const TEMPLATES = {
  pertinentInformation: 'CSAB_RM-NPfITUK10.pertinentInformation',
  careRecordElement: 'CSAB_RM-NPfITUK10.pertinentInformation1',
  lineItem: 'CSAB_RM-NPfITUK10.sourceOf2',
  fulfilled: 'CSAB_RM-NPfITUK10.sourceOf1',
} as const;

export const template = (name: keyof typeof TEMPLATES): XmlElement => idIn('template', TEMPLATES[name], 'templateId');

/** The version of the message's model, e.g. `PORX_MT132004UK31`. */
export const typeId = (messageType: string): XmlElement => idIn('messageType', messageType, 'typeId');

/** Not applicable. */
export const notApplicable = (name: string): XmlElement => element(name, { nullFlavor: 'NA' });

export const NO_EFFECTIVE_TIME = notApplicable('effectiveTime');

export const interval = (name: string, low: string, high: string): XmlElement =>
  element(name, undefined, valueElement('low', low), valueElement('high', high));

/** A quantity in the unit of the pack, told again as a translation in a SNOMED CT unit. */
export const quantityInUnits = (value: string, code: string | undefined, displayName: string | undefined): XmlElement =>
  element(
    'quantity',
    { unit: '1', value },
    element('translation', { code, codeSystem: OID.snomedCt, displayName, value }),
  );

/** The care record category, which refers to each line item of the message. */
export const careRecordElementCategory = (moodCode: 'RQO' | 'PRMS', itemIds: readonly XmlElement[]): XmlElement =>
  element(
    'pertinentInformation2',
    { typeCode: 'PERT' },
    template('careRecordElement'),
    element(
      'pertinentCareRecordElementCategory',
      { classCode: 'CATEGORY', moodCode: 'EVN' },
      SNOMED.careRecordElement,
      itemIds.map((id) =>
        element('component', { typeCode: 'COMP' }, element('actRef', { classCode: 'SBADM', moodCode }, id)),
      ),
    ),
  );
