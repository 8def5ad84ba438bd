/** Keys of a configuration that stored runs of before them do not have, by path, and what they meant. */
export const IMPLIED_VALUES: Readonly<Record<string, unknown>> = { "spectrum.over": "probe" };
