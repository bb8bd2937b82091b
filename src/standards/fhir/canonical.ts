/** Canonical URLs of what Mortar itself defines. */

export const MORTAR = 'https://mortar-fhir.org';

export const extensionUrl = (name: string): string => `${MORTAR}/StructureDefinition/${name}`;
export const codeSystemUrl = (name: string): string => `${MORTAR}/CodeSystem/${name}`;
export const namingSystemUrl = (name: string): string => `${MORTAR}/NamingSystem/${name}`;
