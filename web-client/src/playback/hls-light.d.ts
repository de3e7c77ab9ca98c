// hls.js without what a recording does not need: other renditions, subtitles, advertisements, encryption. It brings no types of its own.
declare module 'hls.js/light' {
  export * from 'hls.js'
  export { default } from 'hls.js'
}
