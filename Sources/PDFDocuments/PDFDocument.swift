public import Foundation

/// A document to be read or printed: a title and blocks from top to bottom. Where lines and pages break follows from the
/// text. The same document gives the same bytes.
///
/// Text is Unicode, drawn from left to right in DejaVu Sans, which covers the Latin, Greek and Cyrillic scripts and many
/// symbols, and in a font for the scripts of East Asia where one is installed. Letters that no font has, and those of
/// scripts that join their letters or run from right to left, are left out: `[…]` stands in their place. Control and
/// direction characters vanish.
public struct PDFDocument: Sendable, Hashable {
  /// Stands large on the first page, and in the foot of every page.
  public var title: String
  /// Stands below the title.
  public var subtitle: String?
  /// Who wrote it, in the file's properties.
  public var author: String?
  /// When it was made, in the file's properties. Nil: the file has no such property.
  public var createdAt: Date?
  /// The paper.
  public var page: Page
  /// The content.
  public var blocks: [Block]
  /// A remark that stands at the end when letters had to be left out: where they are to be found.
  public var omissionNote: String?

  public init(
    title: String, subtitle: String? = nil, author: String? = nil, createdAt: Date? = nil, page: Page = .a4,
    blocks: [Block] = [], omissionNote: String? = nil
  ) {
    self.title = title
    self.subtitle = subtitle
    self.author = author
    self.createdAt = createdAt
    self.page = page
    self.blocks = blocks
    self.omissionNote = omissionNote
  }

  /// Stands for letters that are left out.
  public static let omission = "[…]"

  /// The size of the paper in points of 1/72 inch.
  public struct Page: Sendable, Hashable {
    public var width: Double
    public var height: Double

    public init(width: Double, height: Double) {
      self.width = width
      self.height = height
    }

    /// ISO A4, upright.
    public static let a4 = Page(width: 595, height: 842)
    /// US Letter, upright.
    public static let letter = Page(width: 612, height: 792)

    /// The same paper on its side.
    public var landscape: Page { Page(width: max(width, height), height: min(width, height)) }
  }

  /// A part of the content.
  public enum Block: Sendable, Hashable {
    /// Begins a section; never stands alone at the end of a page.
    case heading(String)
    /// Running text; line breaks in it are kept.
    case paragraph(String)
    /// A remark in smaller, lighter type.
    case note(String)
    /// Names and their values, one below the other.
    case facts([Fact])
    /// Rows and columns.
    case table(Table)
    /// What follows begins on a new page.
    case pageBreak
  }

  /// A name and its value.
  public struct Fact: Sendable, Hashable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// Rows under a header that is repeated on every page. Columns are as wide as what they hold needs, as far as the paper
  /// allows; longer cells wrap.
  public struct Table: Sendable, Hashable {
    public var columns: [Column]
    /// Cells in the order of the columns; missing ones are empty, and those beyond the columns are not shown.
    public var rows: [[String]]
    /// What stands there when there are no rows.
    public var emptyText: String

    public init(columns: [Column], rows: [[String]], emptyText: String = "None") {
      self.columns = columns
      self.rows = rows
      self.emptyText = emptyText
    }
  }

  /// A column of a table.
  public struct Column: Sendable, Hashable {
    public var title: String
    public var alignment: Alignment

    public init(_ title: String, alignment: Alignment = .leading) {
      self.title = title
      self.alignment = alignment
    }
  }

  /// Where a cell's text stands.
  public enum Alignment: Sendable, Hashable {
    case leading
    /// For numbers.
    case trailing
  }
}
