/// The look of the simulator's pages.
enum StyleSheet {
  static let path = "/style.css"

  static let text = """
    :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
    body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: Canvas }
    main { width: min(34rem, 100% - 2rem); padding: 1.5rem 2rem; border: 1px solid color-mix(in srgb, CanvasText 20%, Canvas); border-radius: .75rem }
    h1 { font-size: 1.4rem; margin: 0 0 .5rem }
    ul { list-style: none; padding: 0; max-height: 60vh; overflow: auto }
    li { padding: .25rem 0 }
    small { opacity: .7 }
    button { font: inherit; padding: .35rem .9rem; border-radius: .4rem; border: 1px solid #635bff; background: #635bff; color: #fff; cursor: pointer }
    button[value="deny"], button[value="cancel"] { background: none; color: inherit }
    input { font: inherit; padding: .3rem .5rem; width: 100%; box-sizing: border-box }

    """
}
