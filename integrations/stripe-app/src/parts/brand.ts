/** How the app presents itself in the Dashboard's drawer. */
export const brand = { brandColor: '#0f6e6e' } as const;
