// The light build of hls.js (no alternative renditions, subtitles, advertisements, encryption) has no type declarations.
declare module 'hls.js/light' {
  export * from 'hls.js'
  export { default } from 'hls.js'
}
